"""The calibration slope: how much more the observed rate is where the predicted rate is one point/month more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class CalibrationSlope:
    """1 where predictions are neither too bold (below 1) nor too timid (above 1), with its standard error."""

    slope: float
    standard_error: float


def calibration_slope(observed: ArrayLike, predicted: ArrayLike, patient: ArrayLike) -> CalibrationSlope:
    """The least-squares slope of observed on predicted rates, NaN where the predicted do not vary.

    The standard error lets the visits of a patient hang together (the sandwich of Liang and Zeger 1986,
    10.1093/biomet/73.1.13, by patient, times G/(G - 1) for G patients).

    Args:
        observed: (n,) points/month. predicted: (n,) points/month. patient: (n,) whose each row is.

    >>> calibration_slope([0.0, 2.0, 4.0], [0.0, 1.0, 2.0], ["a", "b", "c"])
    CalibrationSlope(slope=2.0, standard_error=0.0)
    """
    x, y = np.asarray(predicted, np.float64), np.asarray(observed, np.float64)
    if np.ptp(x) == 0.0:
        return CalibrationSlope(math.nan, math.nan)
    x = x - x.mean()
    y = y - y.mean()
    across = float(x @ x)
    slope = float(x @ y) / across
    _, whose = np.unique(patient, return_inverse=True)
    scores = np.bincount(whose, x * (y - slope * x))
    count = len(scores)
    error = math.sqrt(float(scores @ scores) * count / (count - 1)) / across if count > 1 else math.nan
    return CalibrationSlope(slope, error)
