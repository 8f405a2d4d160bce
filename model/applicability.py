"""How unlike the training cohort a patient is, with a stated false-alarm rate.

Each measured feature becomes a normal score (its rank among the training patients, carried on straight beyond
them); the squared Mahalanobis distance of the scores that were measured, under a covariance shrunk towards the
identity, is chi-squared on as many degrees of freedom as there are scores if the patient is like the cohort.
Wilson and Hilferty's cube root (1931) puts distances of any number of scores on one scale. The limit is the
order statistic of cross-fitted training patients that one in 200 patients of the cohort would pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FALSE_ALARM_RATE = 0.005
KNOTS = 33
ALWAYS_MEASURED = 0.995  # the share of training rows above which missing is unknown to the model
LEAST_SHRINKAGE = 0.1


@dataclass(frozen=True, slots=True)
class Knots:
    """Values of one feature and their normal scores, both increasing; the feature's range in training."""

    values: Floats
    scores: Floats
    lowest: float
    highest: float

    def score(self, value: float) -> float:
        """The normal score of a value; beyond the outer knots it goes on at the feature's own overall slope."""
        values, scores = self.values, self.scores
        slope = (scores[-1] - scores[0]) / (values[-1] - values[0])
        if value < values[0]:
            return float(scores[0] + slope * (value - values[0]))
        if value > values[-1]:
            return float(scores[-1] + slope * (value - values[-1]))
        return float(np.interp(value, values, scores))


@dataclass(frozen=True, slots=True)
class Applicability:
    """Knots of the features it looks at (by position in the design row), their covariance, and the limit."""

    positions: tuple[int, ...]
    knots: tuple[Knots, ...]
    covariance: Floats
    limit: float
    measured: tuple[float, ...]  # (p,) share of the training rows that have each column of the design row
    false_alarm_rate: float = FALSE_ALARM_RATE

    def unlikeness(self, row: Floats) -> float:
        """How unlike the cohort a design row (p,) is, as a standard normal score; -inf if nothing is measured."""
        scores = np.array([k.score(row[at]) for at, k in zip(self.positions, self.knots, strict=True)])
        return unlikeness(scores, self.covariance)

    def is_unlike(self, row: Floats) -> bool:
        """Whether the patient is further from the cohort than all but one in 200 of the cohort are."""
        return self.unlikeness(row) > self.limit

    def unseen_gaps(self, row: Floats) -> list[int]:
        """Positions that are missing in this row and that no training patient (or next to none) lacked.

        What a model says of such a row is not learnt from anybody.
        """
        return [at for at, share in enumerate(self.measured) if share > ALWAYS_MEASURED and bool(np.isnan(row[at]))]

    def outside(self, row: Floats) -> list[int]:
        """Positions of measured values outside the range that training saw."""
        return [
            at
            for at, k in zip(self.positions, self.knots, strict=True)
            if row[at] < k.lowest or row[at] > k.highest
        ]


def unlikeness(scores: Floats, covariance: Floats) -> float:
    """Wilson-Hilferty score of the squared Mahalanobis distance of the scores that are not NaN.

    >>> round(unlikeness(np.array([3.0, np.nan]), np.eye(2)), 2)  # chi-squared of 9 on 1 degree of freedom
    2.76
    """
    measured = ~np.isnan(scores)
    count = int(measured.sum())
    if count == 0:
        return -np.inf
    found = scores[measured]
    distance = float(found @ np.linalg.solve(covariance[np.ix_(measured, measured)], found))
    spread = 2.0 / (9.0 * count)
    return float(((distance / count) ** (1.0 / 3.0) - (1.0 - spread)) / np.sqrt(spread))


def fit_applicability(X: Floats, positions: Sequence[int], folds: NDArray[np.int64]) -> Applicability:
    """Learn what the training cohort looks like.

    Args:
        X: design rows (n, p), NaN where not measured.
        positions: which columns to look at; columns with fewer than two different values are left out.
        folds: fold of each row (n,); the limit comes from rows scored by what the other folds taught.
    """
    usable = tuple(at for at in positions if len(np.unique(X[~np.isnan(X[:, at]), at])) > 1)
    held_out = np.full(len(X), -np.inf)
    for fold in np.unique(folds):
        kept = X[folds != fold]
        inside = tuple(at for at in usable if len(np.unique(kept[~np.isnan(kept[:, at]), at])) > 1)
        part = _fit(kept, inside, np.inf)
        for row in np.flatnonzero(folds == fold):
            held_out[row] = part.unlikeness(X[row])
    ordered = np.sort(held_out)
    rank = min(len(ordered), int(np.ceil((len(ordered) + 1) * (1.0 - FALSE_ALARM_RATE))))
    return _fit(X, usable, float(ordered[rank - 1]))


def _fit(X: Floats, positions: tuple[int, ...], limit: float) -> Applicability:
    knots = tuple(_knots(X[~np.isnan(X[:, at]), at]) for at in positions)
    scores = np.column_stack([[k.score(v) for v in X[:, at]] for at, k in zip(positions, knots, strict=True)])
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
