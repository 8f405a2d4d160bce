"""Values as normal scores, by the knots of `model.normal_scores` and of `model.applicability`, for many rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.applicability import KnotTable
from model.normal_scores import NormalScores
from scoring.compiled.kernel import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HeldScores:
    """What `NormalScores.scores_of` gives, to the last bit: scores that are held beyond the outer knots.

    >>> plain = NormalScores.of([(np.array([1.0, 3.0]), np.array([-1.0, 1.0]))])
    >>> held = HeldScores.of(plain, positions=np.array([1]))
    >>> held.scores(np.array([[0.0, 2.0], [0.0, 99.0], [0.0, np.nan]])).ravel().tolist()
    [0.0, 2.0, 0.0]
    """

    positions: Integers  # (q,) of the inputs in a row
    values: Floats  # (q, w) knots, w a power of two; the last is +inf
    normal: Floats  # (q, w)
    slopes: Floats  # (q, w)
    last: Floats  # (q,) the last finite knot

    @classmethod
    def of(cls, plain: NormalScores, positions: Integers) -> HeldScores:
        """For inputs at these positions (q,) of a row."""
        normal = _widened(plain.scores, plain.scores[:, -1:])
        return cls(positions, _widened(plain.values, np.inf), normal, _widened(plain.slopes, 0.0), plain.last)

    def scores(self, rows: Floats) -> Floats:
        """Rows (n, p), C-contiguous -> (n, q); 0 where NaN."""
        out = np.empty((len(rows), len(self.positions)))
        _held_scores(rows, self.positions, self.values, self.normal, self.slopes, self.last, out)
        return out


@dataclass(frozen=True, eq=False)
class OpenScores:
    """What `KnotTable.scores` gives, to the last bit: scores that go on beyond the outer knots.

    >>> from model.applicability import Knots
    >>> knots = Knots(np.array([10.0, 20.0, 40.0]), np.array([-1.0, 0.0, 2.0]), 9.0, 45.0)
    >>> goes_on = OpenScores.of(KnotTable.of([knots]), positions=np.array([0]))
    >>> goes_on.scores(np.array([[15.0], [70.0], [np.nan]])).ravel().tolist()
    [-0.5, 5.0, nan]
    """

    positions: Integers  # (q,) of the inputs in a row
    values: Floats  # (q, w) knots, w a power of two; the last is +inf
    normal: Floats  # (q, w)
    slopes: Floats  # (q, w)
    last: Integers  # (q,) the knot before the last
    beyond: Floats  # (q,) the slope outside

    @classmethod
    def of(cls, plain: KnotTable, positions: Integers) -> OpenScores:
        """For inputs at these positions (q,) of a row."""
        values, normal, slopes = (
            _widened(each, fill) for each, fill in ((plain.values, np.inf), (plain.normal, 0.0), (plain.slope, 0.0))
        )
        return cls(positions, values, normal, slopes, plain.last.astype(np.int64), plain.beyond)

    def scores(self, rows: Floats) -> Floats:
        """Rows (n, p), C-contiguous -> (n, q); NaN where NaN."""
        out = np.empty((len(rows), len(self.positions)))
        _open_scores(rows, self.positions, self.values, self.normal, self.slopes, self.last, self.beyond, out)
        return out


def _widened(knots: Floats, fill: Floats | float) -> Floats:
    """(q, k) -> (q, w) with w the next power of two above k, for `_place`."""
    wide = np.empty((len(knots), 1 << knots.shape[1].bit_length()))
    wide[:, : knots.shape[1]] = knots
    wide[:, knots.shape[1] :] = fill
    return wide


@kernel
def _place(knots: Floats, x: float) -> int:
    """How many of the knots (w,), increasing, are not above x, but w - 1 at most; without a branch."""
    count, step = 0, len(knots) >> 1
    while step > 0:
        count += step if knots[count + step - 1] <= x else 0
        step >>= 1
    return count


@kernel
def _held_scores(
    rows: Floats,
    positions: Integers,
    values: Floats,
    normal: Floats,
    slopes: Floats,
    last: Floats,
    out: Floats,
) -> None:
    for r in range(len(rows)):
        for j in range(len(positions)):
            value = rows[r, positions[j]]
            if np.isnan(value):
                out[r, j] = 0.0
                continue
            x = min(max(value, values[j, 0]), last[j])
            at = max(_place(values[j], x) - 1, 0)
            rise = (x - values[j, at]) * slopes[j, at]
            out[r, j] = min(normal[j, at] + rise, normal[j, at + 1])


@kernel
def _open_scores(
    rows: Floats,
    positions: Integers,
    values: Floats,
    normal: Floats,
    slopes: Floats,
    last: Integers,
    beyond: Floats,
    out: Floats,
) -> None:
    for r in range(len(rows)):
        for j in range(len(positions)):
            x, end = rows[r, positions[j]], last[j] + 1
            if np.isnan(x):
                out[r, j] = np.nan
            elif x < values[j, 0]:
                out[r, j] = normal[j, 0] + beyond[j] * (x - values[j, 0])
            elif x > values[j, end]:
                out[r, j] = normal[j, end] + beyond[j] * (x - values[j, end])
            else:
                at = min(max(_place(values[j], x) - 1, 0), last[j])
                out[r, j] = normal[j, at] + slopes[j, at] * (x - values[j, at])
