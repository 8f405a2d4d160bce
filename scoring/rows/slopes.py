"""Changes per month at each visit of many patients: compiled, to the bit of `features.change`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.change import NOISE_SD, ROUNDING, SETTLED
from scoring.compiled.kernel import kernel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trend:
    """What is known of the change of a quantity up to each of n visits."""

    change: Floats  # (n,) per month, NaN where fewer than two exact readings are known
    weight: Floats  # (n,) what the readings weigh in it; NaN as above
    surprise: Floats  # (n,) `features.change.surprise` of a functional score; NaN of anything else, and as above
    without_limits: Mask  # (n,) whether there are two readings or more, and a limit among them that counts for none


def trend(values: Floats, beyond: Mask, month: Floats, starts: Integers, maximum: float | None = None) -> Trend:
    """The trend of one quantity, as `features.derive` has it of one patient.

    Args:
        values: (n,) in the order of patient and time, NaN where not measured.
        beyond: (n,) whether a value is a limit, which counts for no change.
        month: (n,) since onset.
        starts: (k,) of each patient's first row.
        maximum: of a functional score, whose course so far is what is expected.

    >>> found = trend(np.array([4.0, np.nan, 12.0, 30.0]), np.zeros(4, bool), np.array([8.0, 9.0, 16.0, 5.0]),
    ...               np.array([0, 3]))
    >>> found.change.tolist(), found.weight.tolist()
    ([nan, nan, 0.8, nan], [nan, nan, 0.8, nan])
    """
    count = len(values)
    change, weight, surprise = (np.full(count, np.nan) for _ in range(3))
    without = np.zeros(count, np.bool_)
    top = np.nan if maximum is None else maximum
    bounds = np.append(starts, count)
    _trend(values, beyond, month, bounds, SETTLED, NOISE_SD, top, ROUNDING, change, weight, surprise, without)
    return Trend(change, weight, surprise, without)


@kernel
def _trend(
    values: Floats,
    beyond: Mask,
    month: Floats,
    bounds: Integers,
    settled: float,
    noise: float,
    maximum: float,
    rounding: float,
    changes: Floats,
    weights: Floats,
    surprises: Floats,
    without: Mask,
) -> None:
    x, y = np.empty(len(values)), np.empty(len(values))
    for patient in range(len(bounds) - 1):
        count = limits = 0
        change = weight = surprise = np.nan
        for row in range(bounds[patient], bounds[patient + 1]):
            if not np.isnan(values[row]):
                if beyond[row]:
                    limits += 1
                else:
                    x[count], y[count] = month[row], values[row]
                    count += 1
                    if count >= 2:
                        change, weight, surprise = _change(x, y, count, settled, noise, maximum, rounding)
            changes[row], weights[row], surprises[row] = change, weight, surprise
            without[row] = limits > 0 and count + limits >= 2


@kernel
def _change(
    x: Floats, y: Floats, count: int, settled: float, noise: float, maximum: float, rounding: float
) -> tuple[float, float, float]:
    expected = 0.0
    if not np.isnan(maximum) and x[count - 1] > 0:
        expected = (y[count - 1] - maximum) / x[count - 1]
    total_x = total_y = across = along = most = 0.0
    for at in range(count):
        total_x += x[at]
        total_y += y[at]
    mean_x, mean_y = total_x / count, total_y / count
    for at in range(count):
        away = x[at] - mean_x
        across += away * (y[at] - mean_y)
        along += away * away
        most += abs(away * y[at])
    if abs(across) <= rounding * most:
        across = 0.0
    surprise = np.nan
    if not np.isnan(maximum):
        surprise = (across - expected * along) / (noise * math.sqrt(along * (along + settled) / settled))
    return (across + settled * expected) / (along + settled), along / (along + settled), surprise
