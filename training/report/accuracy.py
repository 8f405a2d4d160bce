"""How good cross-validated forecasts are, each figure with its 95 % interval from a bootstrap of patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import Forecasts, metrics
from training.paired import LEVEL, figures, patient_draws, patient_means

Floats = NDArray[np.float64]
TENTHS = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the forecasts, by predicted rate: means in points/month."""

    examples: int
    predicted: float
    observed: Estimate
    interval: tuple[float, float]  # mean ends of the prediction interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Observed = intercept + slope x predicted, by least squares (perfect: 0 and 1), and the mean difference."""

    slope: Estimate
    intercept: Estimate  # points/month
    bias: Estimate  # predicted - observed, points/month
    tenths: tuple[Tenth, ...]


def accuracy(
    observed: Floats, forecasts: Forecasts, patient: NDArray[np.str_], *, resamples: int, seed: int
) -> Mapping[str, Estimate]:
    """Every figure of `training.metrics.metrics`, by its name there.

    Args:
        observed: (n,) rates. forecasts: of the same rows. patient: (n,) whose each row is.
        resamples: of patients. seed: of the resamples, so that models on the same rows get the same patients.

    >>> found = accuracy(np.array([0.0, 1.0]), Forecasts(np.array([0.5, 1.0]), np.array([[-1, 1], [2, 3]]), 0.9),
    ...                  np.array(["a", "b"]), resamples=100, seed=0)
    >>> found["mae"].value, found["mae"].lower, found["mae"].upper
    (0.25, 0.0, 0.5)
    """
    draws = patient_draws(patient, resamples, seed)
    mean = patient_means(patient, draws)
    drawn = {
        **figures(observed, forecasts, patient, draws),
        "mae": mean(np.abs(observed - forecasts.rate)),
        "correlation": _line(observed, forecasts.rate, mean).correlation,
    }
    return {key: estimate(value, drawn[key][1:]) for key, value in metrics(observed, forecasts).items()}


def calibration(
    observed: Floats, forecasts: Forecasts, patient: NDArray[np.str_], *, resamples: int, seed: int
) -> Calibration:
    """How forecasts lie to what came, overall and by tenth of the predicted rate; arguments as in `accuracy`."""
    draws = patient_draws(patient, resamples, seed)
    mean = patient_means(patient, draws)
    line = _line(observed, forecasts.rate, mean)
    off = mean(forecasts.rate - observed)
    parts = np.array_split(np.argsort(forecasts.rate, kind="stable"), TENTHS)
    tenths = []
    for part in parts:
        inside = np.zeros(len(observed))
        inside[part] = 1.0
        with np.errstate(invalid="ignore"):  # a resample may have nobody in a tenth
            of_part = mean(observed * inside) / mean(inside)
        lower, upper = (float(forecasts.interval[part, end].mean()) for end in (0, 1))
        predicted = float(forecasts.rate[part].mean())
        tenths.append(Tenth(len(part), predicted, estimate(float(of_part[0]), of_part[1:]), (lower, upper)))
    slope, intercept, bias = (estimate(float(e[0]), e[1:]) for e in (line.slope, line.intercept, off))
    return Calibration(slope, intercept, bias, tuple(tenths))


def estimate(value: float, drawn: Floats) -> Estimate:
    """A figure with the middle 95 % of its resamples; a resample in which it is not defined is left out.

    >>> estimate(1.0, np.linspace(0.0, 2.0, 201)), estimate(float("nan"), np.ones(3))
    (Estimate(value=1.0, lower=0.05, upper=1.95), Estimate(value=None, lower=None, upper=None))
    """
    known = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or len(known) == 0:
        return Estimate(None, None, None)
    tail = (1.0 - LEVEL) / 2.0
    lower, upper = np.quantile(known, [tail, 1.0 - tail])
    return Estimate(value, round(float(lower), 12), round(float(upper), 12))


@dataclass(frozen=True, slots=True)
class _Line:
    """Least squares of observed on predicted, on the cohort and each resample, (1 + resamples,) each."""

    slope: Floats
    intercept: Floats
    correlation: Floats


def _line(observed: Floats, predicted: Floats, mean: Callable[[Floats], Floats]) -> _Line:
    y, x = mean(observed), mean(predicted)
    centre_y, centre_x = observed.mean(), predicted.mean()  # differences of large squares lose digits
    moved_y, moved_x = observed - centre_y, predicted - centre_x
    across = mean(moved_x * moved_y) - (x - centre_x) * (y - centre_y)
    spread_x = mean(moved_x**2) - (x - centre_x) ** 2
    spread_y = mean(moved_y**2) - (y - centre_y) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):  # the same forecast for all has no slope
        slope = across / spread_x
        correlation = across / np.sqrt(spread_x * spread_y)
    return _Line(slope, y - slope * x, correlation)
