"""How good predictions are, in numbers: of the rate, of its interval, overall and by predicted band."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distribution import band_of
from model.predictor import BANDS

Floats = NDArray[np.float64]
FEWEST_IN_BAND = 20  # a band with fewer patients' visits is not judged


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Out-of-sample forecasts: rate (n,), 90 % interval (n, 2) and the coverage it is meant to have."""

    rate: Floats
    interval: Floats
    coverage: float


def metrics(observed: Floats, forecasts: Forecasts) -> dict[str, float]:
    """RMSE, MAE, R2, correlation, coverage, mean width and mean interval score, in points/month or without unit.

    The interval score is Winkler's (Gneiting and Raftery 2007, eq. 43): width + 2/alpha x how far outside.

    >>> found = metrics(np.array([0.0, 1.0]), Forecasts(np.array([0.5, 1.0]), np.array([[-1, 1], [2, 3]]), 0.9))
    >>> found["rmse"] == 0.125 ** 0.5, found["coverage"], found["interval_width"], round(found["interval_score"], 9)
    (True, 0.5, 1.5, 11.5)
    """
    error = observed - forecasts.rate
    lower, upper = forecasts.interval[:, 0], forecasts.interval[:, 1]
    outside = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
    spread = float(np.mean((observed - observed.mean()) ** 2))
    alpha = 1.0 - forecasts.coverage
    return {
        "rmse": math.sqrt(float(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1.0 - float(np.mean(error**2)) / spread if spread > 0 else math.nan,
        "correlation": _correlation(observed, forecasts.rate),
        "coverage": float(np.mean(outside == 0.0)),
        "interval_width": float(np.mean(upper - lower)),
        "interval_score": float(np.mean(upper - lower + 2.0 / alpha * outside)),
    }


def by_band(observed: Floats, forecasts: Forecasts) -> Mapping[str, dict[str, float]]:
    """The same by the band of the predicted rate, for bands with at least 20 forecasts."""
    bands = band_of(forecasts.rate)
    found: dict[str, dict[str, float]] = {}
    for position, band in enumerate(BANDS):
        inside = bands == position
        if int(inside.sum()) >= FEWEST_IN_BAND:
            part = Forecasts(forecasts.rate[inside], forecasts.interval[inside], forecasts.coverage)
            found[band] = {"examples": float(inside.sum()), **metrics(observed[inside], part)}
    return found


def _correlation(observed: Floats, predicted: Floats) -> float:
    """Pearson's r; NaN where one side does not vary."""
    if np.ptp(observed) == 0.0 or np.ptp(predicted) == 0.0:
        return math.nan
    return float(np.corrcoef(observed, predicted)[0, 1])
