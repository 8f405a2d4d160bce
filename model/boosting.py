"""Fitting monotone gradient-boosted trees with XGBoost; only training comes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from model.tables import Rows, as_float32

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoosterSettings:
    """How trees are grown. The defaults suit noisy clinical tables of 100 to 5,000 rows.

    They were chosen on simulated cohorts and on PRO-ACT data (docs/decisions/0007): shallow trees, small samples of
    rows and features, and shrunk leaves cost little where there is much data and help most where there is little.
    """

    n_trees: int = 500
    max_depth: int = 3
    learning_rate: float = 0.02
    subsample: float = 0.6  # share of rows that each tree sees
    colsample: float = 0.6  # share of features that each tree sees
    min_child_weight: float = 10.0  # rows (by weight) that a leaf needs, in a large cohort
    min_child_share: float = 0.04  # in a small one, this share of the rows if that is less
    reg_lambda: float = 10.0  # rows of value zero that each leaf is shrunk by


def fit_booster(
    X: Rows, y: Floats, weight: Floats, settings: BoosterSettings, *, monotone: Sequence[int] = (), seed: int = 0
) -> bytes:
    """The JSON of a booster of the mean of y by squared error, the only loss whose constraints XGBoost keeps.

    On one thread: the same input gives the same bytes. A weight of 2 counts as the row twice.

    Args:
        X: (n, p), NaN where not measured.
        y: (n,)
        weight: (n,), positive.
        settings: how trees are grown.
        monotone: for each feature 1 (never falls with it), -1 (never rises) or 0; empty for none.
        seed: of the sampling of rows and features.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 2))
    >>> ones, settings = np.ones(50), BoosterSettings(n_trees=5)
    >>> fit_booster(X, X[:, 0], ones, settings) == fit_booster(X, X[:, 0], ones, settings)
    True
    """
    data = xgboost.DMatrix(as_float32(X), label=y, weight=weight, nthread=1)
    parameters = {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "nthread": 1,
        "seed": seed,
        "verbosity": 1,
        "max_depth": settings.max_depth,
        "learning_rate": settings.learning_rate,
        "subsample": settings.subsample,
        "colsample_bytree": settings.colsample,
        "min_child_weight": min(settings.min_child_weight, settings.min_child_share * float(weight.sum())),
        "reg_lambda": settings.reg_lambda,
    }
    if any(monotone):
        parameters["monotone_constraints"] = tuple(monotone)
    booster = xgboost.Booster(parameters, [data])
    for round_ in range(settings.n_trees):  # not xgboost.train: mlflow.autolog() would make a run of each inner fit
        booster.update(data, round_)
    return bytes(booster.save_raw("json"))
