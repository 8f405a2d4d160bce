"""Learning the location: copula regression and boosted trees, weighted by how well each tells unseen rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.boosting import BoosterSettings, fit_booster
from model.copula_fit import SHRINKAGES, fit_copulas
from model.crossfit import cross_fitted, out_of_fold
from model.fitted import WEIGHT_STEPS, Part
from model.tables import TreeTables

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]

PRIOR_SD = 0.25  # of a weight around a half: how unequal the parts are expected to be


@dataclass(frozen=True, eq=False)
class Location:
    """Parts fitted on all rows, the booster of the trees if they are in it, and out-of-fold estimates (n,)."""

    parts: tuple[Part, ...]
    booster: bytes | None
    estimates: Floats


def fit_location(
    X: Floats,
    y: Floats,
    weight: Floats,
    folds: Folds,
    settings: BoosterSettings,
    *,
    directions: Sequence[int],
    seed: int = 0,
) -> Location:
    """Cross-fit both parts, weight them, and refit those with a weight on all rows.

    Args:
        X: (n, p), NaN where not measured.
        y: (n,)
        weight: (n,), positive.
        folds: (n,), from 0.
        settings: of the trees.
        directions: (p,): 1 never falls with it, -1 never rises, 0 free.
        seed: of the trees.
    """
    by_trees = out_of_fold(X, y, weight, folds, settings, monotone=directions, seed=seed)
    booster = fit_booster(X, y, weight, settings, monotone=directions, seed=seed)
    tables = TreeTables.from_booster_json(booster)
    found = _by_copula(X, y, weight, folds, directions)
    if found is None:
        return Location((Part(1.0, tables),), booster, by_trees)
    by_copula, shrinkage = found
    share = share_of_second(y, by_trees, by_copula, weight)
    parts: list[Part] = []
    if share < 1.0:
        parts.append(Part(1.0 - share, tables))
    if share > 0.0:
        finest = tables.grid
        (copula,) = fit_copulas(X, y, weight, directions=directions, shrinkages=(shrinkage,), finest=finest)
        parts.append(Part(share, copula))
    estimates = (1.0 - share) * by_trees + share * by_copula
    return Location(tuple(parts), booster if share < 1.0 else None, estimates)


def share_of_second(y: Floats, first: Floats, second: Floats, weight: Floats) -> float:
    """The weight of the second of two estimates that leaves the least squared error, in whole steps of 1/64.

    A small sample says little of it, so it is drawn towards a half as a normal prior of SD 0.25 would; from 0 to 1.

    >>> y = np.linspace(-1, 1, 400)
    >>> share_of_second(y, np.zeros(400), y, np.ones(400))
    1.0
    >>> share_of_second(y, y, y, np.ones(400))
    0.5
    """
    apart, left = second - first, y - (first + second) / 2.0
    gain, size = float(weight @ (apart * left)), float(weight @ apart**2)
    noise = float(weight @ left**2) / float(weight.sum())
    pull = noise / PRIOR_SD**2
    share = 0.5 + (gain / (size + pull) if size > 0.0 else 0.0)
    return float(np.clip(np.rint(share * WEIGHT_STEPS), 0, WEIGHT_STEPS)) / WEIGHT_STEPS


def _by_copula(
    X: Floats, y: Floats, weight: Floats, folds: Folds, directions: Sequence[int]
) -> tuple[Floats, float] | None:
    """Out-of-fold estimates (n,) of the copula and its shrinkage; None where a fold cannot have one."""

    def estimate(rest: NDArray[np.bool_], held_out: NDArray[np.bool_]) -> Floats:
        copulas = fit_copulas(X[rest], y[rest], weight[rest], directions=directions)
        columns = [copula.unit * copula.estimate(X[held_out]) for copula in copulas]
        return np.column_stack(columns) if columns else np.full((int(held_out.sum()), len(SHRINKAGES)), np.nan)

    estimates = cross_fitted(estimate, folds)
    if np.isnan(estimates).any():
        return None
    best = int(np.argmin(weight @ (y[:, None] - estimates) ** 2))
    return estimates[:, best], SHRINKAGES[best]
