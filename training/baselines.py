"""What a model must beat: the mean of the training patients, and delta-FS alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model.distribution import PredictiveDistribution
from training.examples import Examples
from training.metrics import Forecasts

Floats = NDArray[np.float64]
Part = NDArray[np.bool_]
Baseline = Callable[[Examples, Part, Part, float], Forecasts]


def mean_rate(examples: Examples, train: Part, test: Part, coverage: float) -> Forecasts:
    """Everybody gets the mean rate of the training rows."""
    mean = float(examples.y[train].mean())
    return _constant_scale(examples.y[train] - mean, np.full(int(test.sum()), mean), coverage)


def delta_fs_alone(examples: Examples, train: Part, test: Part, coverage: float) -> Forecasts:
    """Ordinary least squares on delta-FS; a row without it gets the mean delta-FS of the training rows."""
    x = examples.feature("delta_fs")
    known = train & ~np.isnan(x)
    if int(known.sum()) < 3 or np.ptp(x[known]) == 0.0:
        return mean_rate(examples, train, test, coverage)
    filled = np.where(np.isnan(x), x[known].mean(), x)
    gradient, offset = np.polyfit(x[known], examples.y[known], 1)
    return _constant_scale(
        examples.y[train] - (offset + gradient * filled[train]), offset + gradient * filled[test], coverage
    )


BASELINES: dict[str, Baseline] = {"mean": mean_rate, "delta-FS alone": delta_fs_alone}


def _constant_scale(residuals: Floats, rate: Floats, coverage: float) -> Forecasts:
    distribution = PredictiveDistribution(rate, np.ones(len(rate)), (np.sort(residuals),))
    return Forecasts(rate, distribution.interval(coverage), coverage)
