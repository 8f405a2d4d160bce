"""Cross-validated evaluation: the whole of the fit, calibration included, is repeated in each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.crossfit import grouped_folds
from model.predictor import COVERAGE
from model.regressor import ProgressionRegressor
from training.baselines import BASELINES
from training.examples import Examples
from training.metrics import Forecasts, by_band, metrics
from training.progress import Progress, silent

Floats = NDArray[np.float64]
MODEL = "tregcast"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Forecasts for every example by a model that never saw its patient, beside those of the baselines."""

    observed: Floats
    folds: NDArray[np.int64]
    grouped_by: str  # site or patient
    forecasts: Mapping[str, Forecasts]  # by model: "tregcast" and the baselines

    @property
    def method(self) -> str:
        """How it was made, in words."""
        return f"{int(self.folds.max()) + 1}-fold cross-validation grouped by {self.grouped_by}"

    @property
    def overall(self) -> dict[str, dict[str, float]]:
        """Metrics by model."""
        return {name: metrics(self.observed, found) for name, found in self.forecasts.items()}

    @property
    def bands(self) -> Mapping[str, dict[str, float]]:
        """Metrics of Tregcast by predicted band."""
        return by_band(self.observed, self.forecasts[MODEL])


def evaluate(
    examples: Examples,
    make: Callable[[], ProgressionRegressor],
    *,
    n_folds: int = 5,
    seed: int = 0,
    progress: Progress = silent,
) -> Evaluation:
    """Cross-validate a regressor and the baselines on the same folds.

    Args:
        examples: the cohort as a design matrix.
        make: a fresh, unfitted regressor.
        n_folds: outer folds, grouped by site or patient.
        seed: of the folds.
        progress: told when a fold is done.
    """
    folds = grouped_folds(examples.groups, n_folds, seed)
    rate = {name: np.full(len(examples.y), np.nan) for name in (MODEL, *BASELINES)}
    interval = {name: np.full((len(examples.y), 2), np.nan) for name in rate}
    for fold in range(int(folds.max()) + 1):
        test = folds == fold
        found = {name: forecast(examples, ~test, test, COVERAGE) for name, forecast in BASELINES.items()}
        found[MODEL] = _fold(examples, make(), ~test, test)
        for name, forecasts in found.items():
            rate[name][test], interval[name][test] = forecasts.rate, forecasts.interval
        progress(f"fold {fold + 1} of {int(folds.max()) + 1} evaluated")
    made = {name: Forecasts(rate[name], interval[name], COVERAGE) for name in rate}
    return Evaluation(examples.y, folds, examples.grouped_by, made)


def _fold(
    examples: Examples, regressor: ProgressionRegressor, train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> Forecasts:
    regressor.fit(examples.X[train], examples.y[train], groups=examples.groups[train])
    distribution = regressor.predict_distribution(examples.X[test])
    return Forecasts(distribution.location, distribution.interval(COVERAGE), COVERAGE)
