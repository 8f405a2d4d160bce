"""Learning the location: copula regression and boosted trees, weighted by how well each tells unseen rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.boosting import BoosterSettings, fit_booster
from model.copula_fit import fit_copula
from model.crossfit import N_JOBS, cross_fitted, out_of_fold
from model.fitted import WEIGHT_STEPS, Part
from model.tables import TreeTables

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]
Mask = NDArray[np.bool_]

CLEARLY = 2.0  # standard errors
COMPLETE = 0.5  # weight that the copula is expected to deserve in a complete table
ALL_AT = 1.0 / 3.0  # share of missing cells from which it is expected to deserve all
PRIOR_SD = 0.15  # of the weight around that
LENT_TO_TREES = 0.3  # the least that a lent row counts there; see docs/decisions/0007


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to learn from. Those that are not `own` are lent: they teach, but nothing is judged by them.

    Attributes:
        X: (n, p), NaN where not measured.
        y: (n,)
        weight: (n,), positive.
        folds: (n,), from 0.
        own: (n,)
        lent: what a row that is not own counts, beside one that is.
    """

    X: Floats
    y: Floats
    weight: Floats
    folds: Folds
    own: Mask
    lent: float = 1.0

    def weights(self, least_lent: float = 0.0) -> Floats:
        """The weights to learn with, (n,), where what is lent counts at least so much."""
        return self.weight * np.where(self.own, 1.0, max(self.lent, least_lent))


@dataclass(frozen=True, eq=False)
class Columns:
    """What is known of the p columns.

    Attributes:
        directions: (p,): 1 never falls with it, -1 never rises, 0 free.
        history: positions of those that only an earlier visit can fill.
        details: positions of those that are parts of another one, which the copula may do without.
    """

    directions: Sequence[int]
    history: tuple[int, ...]
    details: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Location:
    """Parts fitted on all rows, the trees' booster if they are in it, and out-of-fold estimates of own rows."""

    parts: tuple[Part, ...]
    booster: bytes | None
    estimates: Floats


def fit_location(
    sample: Sample, settings: BoosterSettings, columns: Columns, *, seed: int = 0, n_jobs: int = N_JOBS
) -> Location:
    """Cross-fit both parts, weight them, and refit those with a weight on all rows.

    Args:
        sample: rows, some of them lent.
        settings: of the trees.
        columns: what is known of them.
        seed: of the trees. n_jobs: folds fitted at a time.
    """
    X, y, own, directions = sample.X, sample.y, sample.own, columns.directions
    weight, for_trees = sample.weights(), sample.weights(LENT_TO_TREES)
    by_trees = out_of_fold(
        X, y, for_trees, sample.folds, settings, own=own, monotone=directions, seed=seed, n_jobs=n_jobs
    )
    booster = fit_booster(X, y, for_trees, settings, monotone=directions, seed=seed)
    tables = TreeTables.from_booster_json(booster)
    found = _by_copula(sample, columns, n_jobs)
    if found is None:
        return Location((Part(1.0, tables),), booster, by_trees)
    by_copula, left_out = found
    share = share_of_second(y[own], by_trees, by_copula, weight[own], expected_share(X[own]))
    parts: list[Part] = []
    if share < 1.0:
        parts.append(Part(1.0 - share, tables))
    if share > 0.0:
        copula = fit_copula(_without(X, left_out), y, weight, directions=directions, finest=tables.grid)
        assert copula is not None, "each fold had one, and all rows are more"
        parts.append(Part(share, copula))
    estimates = (1.0 - share) * by_trees + share * by_copula
    return Location(tuple(parts), booster if share < 1.0 else None, estimates)


def expected_share(X: Floats) -> float:
    """The weight of the copula to expect: a half in a complete table, all where a third of it is missing.

    >>> expected_share(np.array([[1.0, 3.0], [2.0, 1.0], [4.0, np.nan]]))
    0.75
    """
    there = ~np.isnan(X)
    inputs = there.any(axis=0)
    missing = 1.0 - float(there[:, inputs].mean()) if inputs.any() else 0.0
    return min(COMPLETE + (1.0 - COMPLETE) * missing / ALL_AT, 1.0)


def share_of_second(y: Floats, first: Floats, second: Floats, weight: Floats, expected: float) -> float:
    """The weight of the second of two estimates that leaves the least squared error, in whole steps of 1/64.

    A small sample says little of it, so it is drawn to what is expected as a normal prior of SD 0.15 would do; from
    0 to 1.

    >>> y = np.linspace(-1, 1, 400)
    >>> share_of_second(y, y, np.zeros(400), np.ones(400), expected=0.5)
    0.015625
    >>> share_of_second(y, y, y, np.ones(400), expected=0.75)
    0.75
    """
    apart, left = second - first, y - (1.0 - expected) * first - expected * second
    gain, size = float(weight @ (apart * left)), float(weight @ apart**2)
    noise = float(weight @ left**2) / float(weight.sum())
    pull = noise / PRIOR_SD**2
    share = expected + (gain / (size + pull) if size > 0.0 else 0.0)
    return float(np.clip(np.rint(share * WEIGHT_STEPS), 0, WEIGHT_STEPS)) / WEIGHT_STEPS


def _by_copula(sample: Sample, columns: Columns, n_jobs: int) -> tuple[Floats, tuple[int, ...]] | None:
    """Out-of-fold estimates of own rows, and the columns left out; None where a fold cannot have a copula.

    Details are left out unless own rows are told clearly better with them: by two standard errors of the mean
    difference of squared errors. What is merely the least of noisy figures would be no better a choice.
    """
    estimates = _cross_fitted_copula(sample, _without(sample.X, columns.details), columns.directions, n_jobs)
    if np.isnan(estimates).any():
        return None
    if not columns.details:
        return estimates, ()
    with_details = _cross_fitted_copula(sample, sample.X, columns.directions, n_jobs)
    y, weight = sample.y[sample.own], sample.weight[sample.own]
    gain = weight * ((y - estimates) ** 2 - (y - with_details) ** 2)
    if gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain)):
        return with_details, ()
    return estimates, columns.details


def _cross_fitted_copula(sample: Sample, X: Floats, directions: Sequence[int], n_jobs: int) -> Floats:
    """Out-of-fold estimates of own rows, NaN in folds that cannot have a copula."""
    weight = sample.weights()

    def estimate(rest: Mask, held_out: Mask) -> Floats:
        copula = fit_copula(X[rest], sample.y[rest], weight[rest], directions=directions)
        if copula is None:
            return np.full(int(held_out.sum()), np.nan)
        return np.asarray(copula.unit * copula.estimate(X[held_out]), np.float64)

    return cross_fitted(estimate, sample.folds, sample.own, n_jobs)


def _without(X: Floats, left_out: tuple[int, ...]) -> Floats:
    """The rows, with the columns at these positions as if never measured."""
    out = X.copy()
    out[:, list(left_out)] = np.nan
    return out
