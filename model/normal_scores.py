"""Normal scores: a value's place among the training rows as a standard normal number, and the way back.

A score is the normal quantile of a mid-rank, so that ties share one and a binary column has two; a column's scores
are scaled to mean 0 and SD 1. A few knots keep the map; between them it is straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOLD = 1.0  # how far beyond the training range scores go on, in standard deviations; then they are held
_CELLS = 1 << 19  # (row, column, knot) cells evaluated at a time


@dataclass(frozen=True, eq=False)
class NormalScores:
    """Knots of p columns; those of a column with fewer than the most are followed by +inf.

    >>> scores = NormalScores.of([(np.array([1.0, 3.0]), np.array([-1.0, 1.0]))])
    >>> scores.scores_of(np.array([[2.0], [4.0], [99.0], [np.nan]])).ravel().tolist()
    [0.0, 2.0, 2.0, 0.0]
    """

    values: Floats  # (p, k), increasing
    scores: Floats  # (p, k), increasing; the last one goes on where values are +inf

    @classmethod
    def of(cls, knots: Sequence[tuple[Floats, Floats]]) -> NormalScores:
        """From the knots (values, scores) of each column over its training range: at least two, both increasing.

        Beyond the range scores go on at the column's overall slope for `HOLD`, and from there stay as they are.
        """
        width = max((len(values) for values, _ in knots), default=0) + 2
        table = np.full((2, len(knots), width), np.inf)
        for at, (values, scores) in enumerate(knots):
            run = HOLD * (values[-1] - values[0]) / (scores[-1] - scores[0])
            table[0, at, : len(values) + 2] = [values[0] - run, *values, values[-1] + run]
            table[1, at] = scores[-1] + HOLD
            table[1, at, : len(values) + 1] = [scores[0] - HOLD, *scores]
        return cls(table[0], table[1])

    def scores_of(self, columns: Floats) -> Floats:
        """The scores of values (n, p), 0 where NaN; for each column exactly non-decreasing in the value."""
        out = np.empty(columns.shape)
        step = max(1, _CELLS // max(1, self.values.size))
        for start in range(0, len(columns), step):
            out[start : start + step] = self._scores_of(columns[start : start + step])
        return out

    def _scores_of(self, columns: Floats) -> Floats:
        x = np.clip(columns, self.values[:, 0], self.last)
        at = np.maximum((x[:, :, None] >= self.values).sum(axis=2) - 1, 0)
        column = np.arange(len(self.values))
        rise = (x - self.values[column, at]) * self.slopes[column, at]
        upper = self.scores[column, np.minimum(at + 1, self.values.shape[1] - 1)]
        scores = np.minimum(self.scores[column, at] + rise, upper)  # no rounding may pass the next knot
        return np.where(np.isnan(columns), 0.0, scores)

    @cached_property
    def last(self) -> Floats:
        """(p,) the last knot of each column."""
        last: Floats = np.where(np.isfinite(self.values), self.values, -np.inf).max(axis=1)
        return last

    @cached_property
    def slopes(self) -> Floats:
        """(p, k) from each knot to the next; 0 from the last one on."""
        slopes = np.zeros(self.values.shape)
        inside = np.isfinite(self.values[:, 1:])
        with np.errstate(invalid="ignore"):
            steepness = np.diff(self.scores, axis=1) / np.diff(self.values, axis=1)
        slopes[:, :-1] = np.where(inside, steepness, 0.0)
        return slopes


@dataclass(frozen=True, eq=False)
class OutcomeScores:
    """Knots of the outcome: from a score to a value in points/month, held at the training range's ends."""

    values: Floats  # (k,), increasing
    scores: Floats  # (k,), increasing

    def values_at(self, scores: Floats) -> Floats:
        """The values at scores of any shape; exactly non-decreasing in the score.

        >>> outcome = OutcomeScores(np.array([0.0, 4.0]), np.array([-1.0, 1.0]))
        >>> outcome.values_at(np.array([-9.0, 0.0, 9.0])).tolist()
        [0.0, 2.0, 4.0]
        """
        held = np.clip(scores, self.scores[0], self.scores[-1])
        at = np.minimum(np.searchsorted(self.scores, held, "right") - 1, len(self.scores) - 2)
        rise = (held - self.scores[at]) * self.slopes[at]
        found: Floats = np.minimum(self.values[at] + rise, self.values[at + 1])  # no rounding passes the next knot
        return found

    @cached_property
    def slopes(self) -> Floats:
        """(k - 1,) from each knot to the next."""
        slopes: Floats = np.diff(self.values) / np.diff(self.scores)
        return slopes
