"""Changes per month at each visit of many patients: compiled, to the bit of `features.derive.slope`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.derive import ROUNDING, SHORTEST_SPAN_MONTHS
from scoring.compiled.kernel import kernel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


def changes(values: Floats, beyond: Mask, month: Floats, starts: Integers) -> Floats:
    """The change per month up to each row (n,), NaN where it is not known.

    As in `features.derive`: by least squares over what was measured exactly, where that is at least twice over at
    least a month.

    Args:
        values: (n,) in the order of patient and time, NaN where not measured.
        beyond: (n,) whether a value is a limit, which counts for no change.
        month: (n,) since onset.
        starts: (k,) of each patient's first row.

    >>> changes(np.array([44.0, np.nan, 42.0, 30.0]), np.zeros(4, bool), np.array([8.0, 9.0, 10.0, 5.0]),
    ...         np.array([0, 3])).tolist()
    [nan, nan, -1.0, nan]
    """
    out = np.full(len(values), np.nan)
    _changes(values, beyond, month, np.append(starts, len(values)), SHORTEST_SPAN_MONTHS, ROUNDING, out)
    return out


@kernel
def _changes(
    values: Floats, beyond: Mask, month: Floats, bounds: Integers, shortest: float, rounding: float, out: Floats
) -> None:
    x, y = np.empty(len(values)), np.empty(len(values))
    for patient in range(len(bounds) - 1):
        count = readings = 0
        change = np.nan
        for row in range(bounds[patient], bounds[patient + 1]):
            if not np.isnan(values[row]):
                readings += 1
                if not beyond[row]:
                    x[count], y[count] = month[row], values[row]
                    count += 1
                if readings >= 2 and count >= 2 and x[count - 1] - x[0] >= shortest:
                    change = _slope(x, y, count, rounding)
            out[row] = change


@kernel
def _slope(x: Floats, y: Floats, count: int, rounding: float) -> float:
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
    return across / along if abs(across) > rounding * most else 0.0
