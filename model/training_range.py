"""From where to where training saw one column of the design row, robustly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OUTER_SHARE = 0.025  # of the values on either side of the quantiles that the range is made of; docs/decisions/0017
LEAST_SHARE = 0.005  # of the values: what so many have is in the range, where the quantile is the median itself


@dataclass(frozen=True, slots=True)
class TrainingRange:
    """From where to where training saw a column of the design row; its most extreme values may be beyond it."""

    position: int
    lowest: float
    highest: float


def training_range(column: Floats, *, beyond_seen: bool = False) -> tuple[float, float]:
    """From where to where training saw a feature, not hanging on the most extreme of its patients.

    The quantiles that leave 2.5 % of the values outside on either side, each as far again from the median as it is
    (of a normal distribution that is 3.9 standard deviations; of values above 0, by their ratio). Nothing beyond
    the most extreme value is in it, but for changes per month: few patients were measured twice, so that a range
    of what was seen would be too narrow.

    Args:
        column: values (n,), NaN where not measured; at least one was.
        beyond_seen: whether the range may go beyond the most extreme values.

    >>> lengths = np.append(np.linspace(1.6, 1.9, 200), 17.5)  # one in decimetres
    >>> [round(float(end), 3) for end in training_range(lengths)]
    [1.6, 2.049]
    """
    values = column[~np.isnan(column)]
    low, middle, high, least, most = (
        float(end)
        for end in np.quantile(
            values, (OUTER_SHARE, 0.5, 1.0 - OUTER_SHARE, LEAST_SHARE, 1.0 - LEAST_SHARE), method="inverted_cdf"
        )
    )
    above_zero = low > 0.0
    lower = (low * (low / middle) if above_zero else low - (middle - low)) if low < middle else least
    upper = (high * (high / middle) if above_zero else high + (high - middle)) if high > middle else most
    if beyond_seen:
        return lower, upper
    return max(lower, float(values.min())), min(upper, float(values.max()))
