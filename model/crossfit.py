"""Cross-fitting: each row's estimate from a model that has seen neither the row nor its group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold

from model.boosting import BoosterSettings, fit_booster
from model.fitted import ScaleModel
from model.tables import Rows, TreeTables

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]
Mask = NDArray[np.bool_]

N_JOBS = 2  # threads that fit folds side by side, where nothing else is said; each booster fits on one
# From the most shrunken; a large cohort can carry more trees, a small one cannot.
SCALE_SETTINGS = tuple(
    BoosterSettings(n_trees=n, max_depth=2, learning_rate=0.04, min_child_share=0.08) for n in (100, 200)
)
_MIN_ROWS = 60  # with fewer, trees on absolute residuals follow noise
_FLOOR_SHARE = 0.2  # of the mean absolute residual


def grouped_folds(groups: ArrayLike, n_folds: int, seed: int) -> Folds:
    """The fold of each row, (n,) from 0; rows of one group share a fold, and folds have about as many groups.

    With fewer groups than folds asked for, each group is a fold.

    Raises:
        ValueError: if there are fewer than two groups.

    >>> grouped_folds(["a", "b", "a", "c"], n_folds=2, seed=0).tolist()
    [1, 0, 1, 0]
    """
    labels = np.asarray(groups)
    n_groups = len(np.unique(labels))
    if n_groups < 2:
        raise ValueError(f"groups has {n_groups} distinct value; cross-validation needs at least 2")
    folds = np.empty(len(labels), np.int64)
    splitter = GroupKFold(min(n_folds, n_groups), shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(labels, groups=labels)):
        folds[held_out] = fold
    return folds


def cross_fitted(estimate: Callable[[Mask, Mask], Floats], folds: Folds, own: Mask, n_jobs: int = N_JOBS) -> Floats:
    """``estimate(rows of the other folds, own rows of this fold)``, put together for own rows: (own rows, ...)."""
    masks = [(folds != fold, (folds == fold) & own) for fold in np.unique(folds[own])]
    with ThreadPoolExecutor(n_jobs) as pool:
        found = list(pool.map(lambda masks: estimate(*masks), masks))
    out = np.empty((len(folds), *found[0].shape[1:]))
    for (_, held_out), estimates in zip(masks, found, strict=True):
        out[held_out] = estimates
    return out[own]


def out_of_fold(
    X: Rows,
    y: Floats,
    weight: Floats,
    folds: Folds,
    settings: BoosterSettings,
    *,
    own: Mask | None = None,
    monotone: Sequence[int] = (),
    seed: int = 0,
    n_jobs: int = N_JOBS,
) -> Floats:
    """Estimates of y, for own rows (all without `own`), by boosters that were fitted on the other folds."""

    def estimate(rest: Mask, held_out: Mask) -> Floats:
        model = fit_booster(X[rest], y[rest], weight[rest], settings, monotone=monotone, seed=seed)
        tables = TreeTables.from_booster_json(model)
        return tables.estimate(X[held_out]).astype(np.float64) * tables.unit

    return cross_fitted(estimate, folds, np.ones(len(y), np.bool_) if own is None else own, n_jobs)


def fit_scale(
    X: Rows, location: Floats, y: Floats, weight: Floats, folds: Folds, *, seed: int = 0, n_jobs: int = N_JOBS
) -> tuple[ScaleModel, bytes | None, Floats]:
    """The scale model, its booster if it has one, and the out-of-fold scale of each row.

    Chosen among the constant, a line in the location, and the trees of `SCALE_SETTINGS`, all of absolute residuals,
    by Laplace likelihood out of fold: least log(scale) + |residual| / scale (a Laplace scale is the mean absolute
    value).

    Args:
        X: (n, p).
        location: (n,) out-of-fold estimates, which the trees read as one more column.
        y: (n,)
        weight: (n,), positive.
        folds: (n,), as of the location.
        seed: of the sampling of rows and features. n_jobs: folds fitted at a time.
    """
    errors = np.abs(y - location)
    mean_error = float(np.average(errors, weights=weight))
    constant = mean_error if mean_error > 0 else 1.0  # without any error every scale says the same
    floor = _FLOOR_SHARE * constant
    same = ScaleModel(constant, floor, None)
    if len(y) < _MIN_ROWS or mean_error == 0:
        return same, None, np.full(len(y), constant)
    chosen, booster, scales = same, None, np.full(len(y), constant)
    loss = _laplace_loss(_mean_of_other_folds(errors, weight, folds), errors, weight)

    def line(rest: Mask, held_out: Mask) -> Floats:
        return _line(location[rest], errors[rest], weight[rest], floor).scale(X[held_out], location[held_out])

    varying = cross_fitted(line, folds, np.ones(len(y), np.bool_), n_jobs)
    if (loss_of_line := _laplace_loss(varying, errors, weight)) < loss:
        loss, chosen, scales = loss_of_line, _line(location, errors, weight, floor), varying
    inputs = np.concatenate([X, location[:, None]], axis=1)
    for settings in SCALE_SETTINGS:
        unseen = out_of_fold(inputs, errors, weight, folds, settings, seed=seed, n_jobs=n_jobs)
        varying = np.maximum(unseen, floor)
        if (loss_of_trees := _laplace_loss(varying, errors, weight)) < loss:
            loss, scales = loss_of_trees, varying
            booster = fit_booster(inputs, errors, weight, settings, seed=seed)
            chosen = ScaleModel(constant, floor, TreeTables.from_booster_json(booster))
    return chosen, booster, scales


def _line(location: Floats, errors: Floats, weight: Floats, floor: float) -> ScaleModel:
    """Least squares of absolute residuals on the location."""
    centre, constant = float(np.average(location, weights=weight)), float(np.average(errors, weights=weight))
    away = location - centre
    spread = float(weight @ away**2)
    slope = float(weight @ (away * errors)) / spread if spread > 0.0 else 0.0
    return ScaleModel(max(constant, floor), floor, None, slope, centre)


def _mean_of_other_folds(values: Floats, weight: Floats, folds: Folds) -> Floats:
    sums, weights = np.bincount(folds, weight * values), np.bincount(folds, weight)
    means: Floats = (sums.sum() - sums) / (weights.sum() - weights)
    return means[folds]


def _laplace_loss(scale: Floats, errors: Floats, weight: Floats) -> float:
    return float(np.average(np.log(scale) + errors / scale, weights=weight))
