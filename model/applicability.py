"""How unlike the training cohort a patient is, with a stated false-alarm rate.

Each measured feature becomes a normal score (its rank among the training patients, carried on straight beyond
them); the squared Mahalanobis distance of the scores that were measured, under a covariance shrunk towards the
identity, is chi-squared on as many degrees of freedom as there are scores if the patient is like the cohort.
Wilson and Hilferty's cube root (1931) puts distances of any number of scores on one scale. The limit is the
order statistic of cross-fitted training patients that one in 200 patients of the cohort would pass.

Each feature alone has a training range that does not hang on its most extreme patient: `training_range`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model.pattern_cache import PatternCache
from model.training_range import TrainingRange, training_range

Floats = NDArray[np.float64]

_ROWS = 4096  # scored at a time
_PATTERNS = 512  # of measured features, kept: q * q * 8 bytes each
FALSE_ALARM_RATE = 0.005
KNOTS = 33
ALWAYS_MEASURED = 0.995  # the share of training rows above which missing is unknown to the model
LEAST_SHRINKAGE = 0.1


@dataclass(frozen=True, slots=True)
class Knots:
    """Values of one feature and their normal scores, both increasing; the most extreme values in training."""

    values: Floats
    scores: Floats
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Applicability:
    """Knots of the features it looks at (by position in the design row), their covariance, and the limit.

    ``ranges`` are by position. A pack made before there were any has the most extreme values in their place.
    """

    positions: tuple[int, ...]
    knots: tuple[Knots, ...]
    covariance: Floats
    limit: float
    measured: tuple[float, ...]  # (p,) share of the training rows that have each column of the design row
    false_alarm_rate: float = FALSE_ALARM_RATE
    ranges: tuple[TrainingRange, ...] = ()

    def unlikeness(self, row: Floats) -> float:
        """How unlike the cohort a design row (p,) is, as a standard normal score; -inf if nothing is measured."""
        [scores] = self._table.scores(row[None, self._positions])
        measured = ~np.isnan(scores)
        if not measured.any():
            return -np.inf
        whiten = self._cache.get(np.packbits(measured).tobytes(), self._whitening)
        return unlikeness(whiten @ scores[measured])

    def is_unlike(self, row: Floats) -> bool:
        """Whether the patient is further from the cohort than all but one in 200 of the cohort are."""
        return self.unlikeness(row) > self.limit

    def furthest(self, row: Floats, count: int) -> list[int]:
        """Positions of the measured values without which the distance would shrink most, the first the most.

        That of value i is what the others do not let expect of it: with P the inverse of the covariance of the k
        scores s that were measured, the squared distance shrinks by (P s)_i squared over P_ii.

        >>> knots = Knots(np.array([-1.0, 1.0]), np.array([-1.0, 1.0]), -1.0, 1.0)
        >>> cohort = Applicability((0, 1, 2), (knots,) * 3, np.eye(3), 3.0, (1.0,) * 3)
        >>> cohort.furthest(np.array([2.0, -7.0, np.nan]), 2)
        [1, 0]
        """
        [scores] = self._table.scores(row[None, self._positions])
        measured = np.flatnonzero(~np.isnan(scores))
        inverse = np.linalg.inv(self.covariance[np.ix_(measured, measured)])
        shrinks = (inverse @ scores[measured]) ** 2 / np.diag(inverse)
        found: list[int] = self._positions[measured[np.argsort(-shrinks, kind="stable")]][:count].tolist()
        return found

    def unseen_gaps(self, row: Floats) -> list[int]:
        """Positions that are missing in this row and that no training patient (or next to none) lacked.

        What a model says of such a row is not learnt from anybody.
        """
        always = self._always
        found: list[int] = always[np.isnan(row[always])].tolist()
        return found

    def outside(self, row: Floats) -> list[int]:
        """Positions of measured values outside their training range."""
        at, lowest, highest = self.limits
        found: list[int] = at[(row[at] < lowest) | (row[at] > highest)].tolist()
        return found

    def times_beyond(self, row: Floats, at: int) -> float:
        """By what factor a value is beyond its training range; 1 inside it, and for 0 and below.

        >>> knots = Knots(np.array([2.0, 8.0]), np.array([-1.0, 1.0]), 2.0, 8.0)
        >>> cohort = Applicability((0,), (knots,), np.eye(1), 3.0, (1.0,))
        >>> [cohort.times_beyond(np.array([value]), 0) for value in (0.5, 5.0, 32.0)]
        [4.0, 1.0, 4.0]
        """
        known, value = self.range_of[at], float(row[at])
        if 0.0 < known.highest < value:
            return value / known.highest
        if 0.0 < value < known.lowest:
            return known.lowest / value
        return 1.0

    @cached_property
    def range_of(self) -> Mapping[int, TrainingRange]:
        """The training range of each column that has one, by position."""
        ranges = self.ranges or tuple(
            TrainingRange(at, knots.lowest, knots.highest)
            for at, knots in zip(self.positions, self.knots, strict=True)
        )
        return {each.position: each for each in ranges}

    @cached_property
    def limits(self) -> tuple[NDArray[np.intp], Floats, Floats]:
        """The training ranges as columns: positions (r,), lowest (r,), highest (r,)."""
        ranges = self.range_of.values()
        return (
            np.array([each.position for each in ranges], np.intp),
            np.array([each.lowest for each in ranges]),
            np.array([each.highest for each in ranges]),
        )

    def _whitening(self, pattern: bytes) -> Floats:
        measured = np.unpackbits(np.frombuffer(pattern, np.uint8), count=len(self.positions)).astype(np.bool_)
        return whitening(self.covariance[np.ix_(measured, measured)])

    @cached_property
    def _positions(self) -> NDArray[np.intp]:
        return np.array(self.positions, np.intp)

    @cached_property
    def _always(self) -> NDArray[np.intp]:
        """Positions of what next to every training row had."""
        return np.flatnonzero(np.array(self.measured) > ALWAYS_MEASURED)

    @cached_property
    def _table(self) -> KnotTable:
        return KnotTable.of(self.knots)

    @cached_property
    def _cache(self) -> PatternCache[Floats]:
        return PatternCache(_PATTERNS)


@dataclass(frozen=True, eq=False)
class KnotTable:
    """The knots of q features side by side; those of a feature with fewer than the most are followed by +inf.

    >>> knots = Knots(np.array([10.0, 20.0, 40.0]), np.array([-1.0, 0.0, 2.0]), 9.0, 45.0)
    >>> KnotTable.of([knots]).scores(np.array([[15.0], [70.0], [np.nan]])).ravel().tolist()
    [-0.5, 5.0, nan]
    """

    values: Floats  # (q, k)
    normal: Floats  # (q, k) their scores
    slope: Floats  # (q, k) from each knot to the next
    last: NDArray[np.intp]  # (q,) the knot before the last
    beyond: Floats  # (q,) the slope outside

    @classmethod
    def of(cls, knots: Sequence[Knots]) -> KnotTable:
        """From the knots of each feature."""
        width = max((len(each.values) for each in knots), default=0)
        values, normal, slope = (np.full((len(knots), width), fill) for fill in (np.inf, 0.0, 0.0))
        for at, each in enumerate(knots):
            count = len(each.values)
            values[at, :count], normal[at, :count] = each.values, each.scores
            slope[at, : count - 1] = np.diff(each.scores) / np.diff(each.values)
        ends = [(k.scores[-1] - k.scores[0]) / (k.values[-1] - k.values[0]) for k in knots]
        return cls(
            values,
            normal,
            slope,
            np.array([len(each.values) - 2 for each in knots], np.intp),
            np.array(ends),
        )

    def scores(self, x: Floats) -> Floats:
        """The normal scores of values, (n, q) -> (n, q); NaN where NaN.

        Beyond the outer knots of a feature they go on at its own overall slope.
        """
        out = np.empty(x.shape)
        for start in range(0, len(x), _ROWS):
            out[start : start + _ROWS] = self._scores(x[start : start + _ROWS])
        return out

    def _scores(self, x: Floats) -> Floats:
        feature = np.arange(x.shape[1])
        at = np.minimum(np.maximum((x[:, :, None] >= self.values).sum(axis=2) - 1, 0), self.last)
        inside = self.normal[feature, at] + self.slope[feature, at] * (x - self.values[feature, at])
        first, end = self.values[:, 0], self.values[feature, self.last + 1]
        above = self.normal[feature, self.last + 1] + self.beyond * (x - end)
        below = self.normal[:, 0] + self.beyond * (x - first)
        return np.where(x < first, below, np.where(x > end, above, inside))


def whitening(covariance: Floats) -> Floats:
    """What makes scores with this covariance (q, q) independent: the inverse of its Cholesky factor."""
    inverse: Floats = np.linalg.inv(np.linalg.cholesky(covariance))
    return inverse


def unlikeness(independent: Floats) -> float:
    """Wilson and Hilferty's score of the squared length of independent normal scores, one or more.

    >>> round(unlikeness(np.array([3.0])), 2)  # chi-squared of 9 on 1 degree of freedom
    2.76
    """
    count = len(independent)
    distance = float(independent @ independent)
    spread = 2.0 / (9.0 * count)
    return float(((distance / count) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread))


def fit_applicability(
    X: Floats, positions: Sequence[int], folds: NDArray[np.int64], changes: Sequence[int] = ()
) -> Applicability:
    """Learn what the training cohort looks like.

    Args:
        X: design rows (n, p), NaN where not measured.
        positions: which columns to look at; columns with fewer than two different values are left out.
        folds: fold of each row (n,); the limit comes from rows scored by what the other folds taught.
        changes: columns that are no part of the distance, and whose range alone is learnt: changes per month.
    """
    usable = tuple(at for at in positions if _varies(X[:, at]))
    held_out = np.full(len(X), -np.inf)
    for fold in np.unique(folds):
        kept = X[folds != fold]
        inside = tuple(at for at in usable if _varies(kept[:, at]))
        part = _fit(kept, inside, np.inf)
        for row in np.flatnonzero(folds == fold):
            held_out[row] = part.unlikeness(X[row])
    ordered = np.sort(held_out)
    rank = min(len(ordered), int(np.ceil((len(ordered) + 1) * (1.0 - FALSE_ALARM_RATE))))
    seen = {at: training_range(X[:, at]) for at in usable}
    seen |= {at: training_range(X[:, at], beyond_seen=True) for at in changes if _varies(X[:, at])}
    ranges = tuple(TrainingRange(at, *seen[at]) for at in sorted(seen))
    return replace(_fit(X, usable, float(ordered[rank - 1])), ranges=ranges)


def _varies(column: Floats) -> bool:
    """Whether it has two different values."""
    return len(np.unique(column[~np.isnan(column)])) > 1


def _fit(X: Floats, positions: tuple[int, ...], limit: float) -> Applicability:
    knots = tuple(_knots(X[~np.isnan(X[:, at]), at]) for at in positions)
    scores = KnotTable.of(knots).scores(X[:, list(positions)])
    measured = tuple(float(share) for share in np.mean(~np.isnan(X), axis=0))
    return Applicability(positions, knots, _covariance(scores), limit, measured)


def _knots(values: Floats) -> Knots:
    levels = (np.arange(KNOTS) + 0.5) / KNOTS
    outer = 0.5 / len(values)
    levels = np.unique(np.clip(np.concatenate([[0.0], levels, [1.0]]), outer, 1.0 - outer))
    normal = NormalDist()
    at_levels = np.quantile(values, levels, method="inverted_cdf")
    distinct, inverse = np.unique(at_levels, return_inverse=True)
    normal_scores = np.array([normal.inv_cdf(level) for level in levels])
    means = np.bincount(inverse, weights=normal_scores) / np.bincount(inverse)
    low, high = float(values.min()), float(values.max())
    if len(distinct) == 1:  # nearly all patients share one value: two knots keep the scale of the range
        distinct, means = np.array([low, high]), np.array([-1.0, 1.0])
    return Knots(distinct, means, low, high)


def _covariance(scores: Floats) -> Floats:
    """Pairwise-complete second moments, shrunk towards the identity, made positive definite."""
    there = ~np.isnan(scores)
    filled = np.where(there, scores, 0.0)
    pairs = there.T.astype(np.float64) @ there
    moments = np.divide(filled.T @ filled, pairs, out=np.zeros_like(pairs), where=pairs >= 2)
    np.fill_diagonal(moments, np.maximum(np.diag(moments), 1.0))
    shrinkage = min(1.0, max(LEAST_SHRINKAGE, scores.shape[1] / max(len(scores), 1)))
    shrunk = (1.0 - shrinkage) * moments + shrinkage * np.diag(np.diag(moments))
    values, vectors = np.linalg.eigh(shrunk)
    fixed: Floats = (vectors * np.maximum(values, 0.05)) @ vectors.T
    return (fixed + fixed.T) / 2.0
