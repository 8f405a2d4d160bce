"""A fitted model: what training makes, a pack stores and every route answers from. Numbers only, no learner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.distribution import PredictiveDistribution
from model.tables import Rows

Floats = NDArray[np.float64]


SITUATIONS = ("first_visit", "follow_up")
"""What the situations of a model that has two of them are called."""

WEIGHT_STEPS = 64
"""Weights are whole numbers of 64ths, so that weighted whole numbers of grid units add up exactly in a double."""


class GridSource(Protocol):
    """What estimates in whole grid units: contribution tables, a copula, or the same ones compiled."""

    @property
    def kind(self) -> str:
        """What a pack calls it."""

    @property
    def n_features(self) -> int:
        """The width p of a row."""

    @property
    def unit(self) -> float:
        """The size of one grid unit, a power of two."""

    def estimate(self, rows: Rows) -> NDArray[np.int64]:
        """Rows (n, p) -> (n,)."""

    def contributions(self, rows: Rows) -> NDArray[np.int64]:
        """Rows (n, p) -> (n, p + 1); the last column is the base. Rows sum to `estimate`."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What a pack stores."""


@dataclass(frozen=True, eq=False)
class Part:
    """A share of the location, and of its contributions, in points/month: boosted trees or a copula regression.

    Both count in whole grid units, so parts add up exactly. A copula gives what was not measured no contribution.
    """

    weight: float  # above 0; the weights of all parts add up to 1
    source: GridSource

    @property
    def kind(self) -> str:
        """What a pack calls it."""
        return self.source.kind

    def estimate(self, rows: Rows) -> Floats:
        """(n,), points/month."""
        found: Floats = self.source.estimate(rows).astype(np.float64) * self._unit
        return found

    def contributions(self, rows: Rows) -> Floats:
        """(n, p + 1), points/month; the last column is the base value. Rows sum to `estimate`."""
        found: Floats = self.source.contributions(rows).astype(np.float64) * self._unit
        return found

    @cached_property
    def _unit(self) -> float:
        """Points/month of a grid unit in the sum: a whole number of a power of two."""
        return self.source.unit * self.weight


@dataclass(frozen=True, eq=False)
class ScaleModel:
    """The expected absolute error of the location, in points/month: by trees, or a line in the location.

    Fast progressors vary more. The trees read the features and, as one more column, the location.

    >>> line, no_columns = ScaleModel(0.4, 0.1, None, slope=0.5, centre=0.8), np.empty((3, 0))
    >>> line.scale(no_columns, np.array([-5.0, 0.8, 1.2])).tolist()
    [0.1, 0.4, 0.6]
    """

    constant: float  # mean absolute out-of-fold residual
    floor: float  # what neither trees nor line may go below
    tables: GridSource | None  # over p + 1 columns; None where trees did not beat the line
    slope: float = 0.0  # of the line, 0 where it did not beat the constant
    centre: float = 0.0  # mean location, where the line passes through the constant

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for everybody."""
        return self.tables is None and self.slope == 0.0

    def scale(self, rows: Rows, location: Floats) -> Floats:
        """(n,), positive, for rows (n, p) and their location (n,)."""
        if self.tables is None:
            line: Floats = np.maximum(self.constant + self.slope * (location - self.centre), self.floor)
            return line
        units = self.tables.estimate(np.concatenate([rows, location[:, None]], axis=1))
        scale: Floats = np.maximum(self.tables.unit * units, self.floor)
        return scale


@dataclass(frozen=True, eq=False)
class Situation:
    """Location, scale and residuals: together one predictive distribution per row.

    The location is the sum of its parts. Each adds whole numbers of a power of two, so base value + contributions
    are the estimate to the last bit.
    """

    location: tuple[Part, ...]
    scale: ScaleModel
    residuals: Floats  # (m,), ascending: out-of-fold residual / out-of-fold scale

    def estimate(self, rows: Rows) -> Floats:
        """The rate in points/month, (n,), for rows (n, p) with NaN where not measured."""
        return _sum([part.estimate(rows) for part in self.location])

    def contributions(self, rows: Rows) -> Floats:
        """Each feature's share of `estimate` in points/month, (n, p + 1); the last column is the base value."""
        return _sum([part.contributions(rows) for part in self.location])


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """A score that a rate cannot take below 0, nor above its maximum, within some months.

    >>> limits = ScoreRange(position=0, maximum=48.0, months=3.0).limits(np.array([[6.0], [np.nan]]))
    >>> [limit.tolist() for limit in limits]
    [[-14.0, -inf], [2.0, inf]]
    """

    position: int  # of the score among the columns
    maximum: float  # points
    months: float

    def limits(self, rows: Rows) -> tuple[Floats, Floats]:
        """The lowest and the highest rate of rows (n, p), (n,) points/month each; infinite without a score."""
        score = np.asarray(rows[:, self.position], np.float64)
        known = ~np.isnan(score)
        lowest = np.where(known, (score - self.maximum) / self.months, -np.inf)
        return lowest, np.where(known, score / self.months, np.inf)


_OfRows = tuple[int, Situation, NDArray[np.int64] | slice]
"""The number of a situation, the situation, and the positions of the rows that are in it."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What answers: one situation for everybody, or one for first visits and one for patients seen before.

    A row belongs to the second where any of the columns of ``history`` was measured: what is known of a patient
    at the first visit, and what it says, differ from what a history says.

    >>> from model.tables import TreeTables
    >>> stump = TreeTables(1, 0, 2, *(np.zeros((0, 1), kind) for kind in ("i4", "f4", "?", "i4")),
    ...                    np.zeros((0, 2, 1), "i4"))
    >>> all_alike = Situation((Part(1.0, stump),), ScaleModel(0.5, 0.1, None), np.array([-1.0, 1.0]))
    >>> model = FittedModel(("nfl",), (all_alike,), ())
    >>> model.contributions(np.array([[30.0]])).tolist(), model.distribution(np.array([[30.0]])).cdf(2.0).tolist()
    ([[0.0, 2.0]], [0.5])
    """

    feature_names: tuple[str, ...]  # p, in the order of the columns of rows
    situations: tuple[Situation, ...]  # one, or two: first visit, follow-up
    history: tuple[int, ...]  # positions of the columns that only an earlier visit can fill; none for one situation
    score: ScoreRange | None = None  # what bounds the distribution; the estimate itself is left as its parts add up

    def situation_of(self, rows: Rows) -> NDArray[np.int64]:
        """Which situation each row (n, p) is in, (n,)."""
        if len(self.situations) == 1:
            return np.zeros(len(rows), np.int64)
        return has_history(rows, self._history).astype(np.int64)

    def estimate(self, rows: Rows) -> Floats:
        """The rate in points/month, (n,), for rows (n, p) with NaN where not measured."""
        return self._estimate(rows, list(self._parts(rows)))

    def contributions(self, rows: Rows) -> Floats:
        """Each feature's share of `estimate` in points/month, (n, p + 1); the last column is the base value."""
        return self._contributions(rows, list(self._parts(rows)))

    def distribution(self, rows: Rows) -> PredictiveDistribution:
        """The predictive distribution of each row's rate, for rows (n, p)."""
        parts = list(self._parts(rows))
        return self._around(rows, self._estimate(rows, parts), parts)

    def explained(self, rows: Rows) -> tuple[PredictiveDistribution, Floats]:
        """`distribution` and `contributions` of rows (n, p), for little more than the second costs alone.

        The estimate is what base value and contributions add up to, in any order to the last bit.
        """
        parts = list(self._parts(rows))
        shares = self._contributions(rows, parts)
        return self._around(rows, shares.sum(axis=1), parts), shares

    @cached_property
    def _history(self) -> NDArray[np.intp]:
        return np.array(self.history, np.intp)

    def _estimate(self, rows: Rows, parts: Sequence[_OfRows]) -> Floats:
        out = np.empty(len(rows))
        for _, situation, these in parts:
            out[these] = situation.estimate(rows[these])
        return out

    def _contributions(self, rows: Rows, parts: Sequence[_OfRows]) -> Floats:
        out = np.empty((len(rows), len(self.feature_names) + 1))
        for _, situation, these in parts:
            out[these] = situation.contributions(rows[these])
        return out

    def _around(self, rows: Rows, location: Floats, parts: Sequence[_OfRows]) -> PredictiveDistribution:
        scale, which = np.empty(len(rows)), np.zeros(len(rows), np.int64)
        for number, situation, these in parts:
            scale[these] = situation.scale.scale(rows[these], location[these])
            which[these] = number
        residuals = tuple(situation.residuals for situation in self.situations)
        lowest, highest = self.score.limits(rows) if self.score is not None else (-np.inf, np.inf)
        return PredictiveDistribution(location, scale, residuals, which, lowest, highest)

    def _parts(self, rows: Rows) -> Iterator[_OfRows]:
        """Each situation that a row is in, with the positions of its rows."""
        which = self.situation_of(rows)
        numbers = set(which.tolist())
        for number in numbers:
            these = slice(None) if len(numbers) == 1 else np.flatnonzero(which == number)
            yield number, self.situations[number], these


def _sum(parts: Sequence[Floats]) -> Floats:
    total, *others = parts
    for part in others:
        total += part
    return total


def overall(importance: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Shares (p,) of all contributions, every situation counting alike.

    >>> overall([(0.5, 0.5), (1.0, 0.0)])
    (0.75, 0.25)
    """
    return tuple(float(share) for share in np.mean(importance, axis=0))


def has_history(rows: Rows, history: Sequence[int] | NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which rows (n, p) have a value in any of these columns, (n,)."""
    measured: NDArray[np.bool_] = ~np.isnan(rows[:, np.asarray(history, np.intp)])
    return np.asarray(measured.any(axis=1))
