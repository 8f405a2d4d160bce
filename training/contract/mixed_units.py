"""Whether values, on a logarithmic scale, lie a known factor apart: two groups, one site, one visit of a patient.

The limits are assumptions: groups must be separated so widely that one bell curve, or the tail of one, is no
explanation; and the distance must be that of two units, not just any.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from training.contract.contract_readings import Floats

NEAREST = 2.0
"""A distance is that of two units if it is less than this many times off (and less than a quarter of the way)."""
SEPARATION, OF_FEW = 1.5, 6.0
"""Two groups of n values are two if they are separated max(1.5, 1 + 6 / sqrt(n)) times as far as the two parts of
one bell curve, cut at that share. Simulated, 20,000 samples of one curve: fewer than 1 in 1,000 reach it at n = 12,
about 1 in 10,000 from n = 20 on; and then the distance has to be that of two units besides."""
FEWEST_VALUES = 12
FEWEST_OF_A_GROUP = 3
SITE_ERRORS = 5.0
"""A site differs if its median does by this many standard errors of a difference of medians."""
VISIT_DEVIATIONS = 6.0
"""A visit differs from the patient's others by this many times the usual deviation of a visit."""
FEWEST_PAIRS = 20
SMALLEST_DEVIATION = math.log(1.02)  # of rounded values that mostly repeat


def two_groups(values: Floats, factor: float) -> NDArray[np.bool_] | None:
    """Which values belong to the higher of two groups a factor apart, shape (values,); None if they are no two.

    >>> low = np.array([2.0, 2.2, 1.8, 2.4, 2.6, 2.1, 1.9, 2.3, 2.0])
    >>> two_groups(np.concatenate([low, [20.0, 22.0, 19.0]]), 10.0).tolist().count(True)
    3
    >>> two_groups(np.concatenate([low, low * 1.1]), 10.0) is None
    True
    """
    positive = values > 0.0
    logs = np.sort(np.log(values[positive]))
    if len(logs) < FEWEST_VALUES:
        return None
    below = np.arange(1, len(logs))
    sums, squares = np.cumsum(logs), np.cumsum(logs**2)
    low = sums[:-1] / below
    high = (sums[-1] - sums[:-1]) / (len(logs) - below)
    within = squares[-1] - below * low**2 - (len(logs) - below) * high**2
    spread = np.sqrt(np.maximum(within, 1e-12) / (len(logs) - 2))
    separation = (high - low) / np.maximum(spread, SMALLEST_DEVIATION)
    enough = (below >= FEWEST_OF_A_GROUP) & (len(logs) - below >= FEWEST_OF_A_GROUP)
    gap = np.diff(logs) > 0.0  # equal values belong together
    times = max(SEPARATION, 1.0 + OF_FEW / math.sqrt(len(logs)))
    clear = separation >= times * _of_one_curve(below / len(logs))
    wide = np.where(enough & gap & clear, separation, 0.0)
    at = int(np.argmax(wide))
    if wide[at] == 0.0 or not _near(float(high[at] - low[at]), factor):
        return None
    return np.asarray(positive & (values > math.exp((logs[at] + logs[at + 1]) / 2.0)))


def apart(here: Floats, elsewhere: Floats, factor: float) -> bool:
    """Whether the median of one set of patients lies a factor above or below that of the others, beyond chance.

    >>> low = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 1.2, 1.7, 2.2])
    >>> apart(low * 10.0, low, 10.0), apart(low * 3.0, low, 10.0)
    (True, False)
    """
    logs = [np.log(values[values > 0.0]) for values in (here, elsewhere)]
    if min(len(each) for each in logs) < FEWEST_OF_A_GROUP:
        return False
    distance = abs(float(np.median(logs[0]) - np.median(logs[1])))
    error = math.sqrt(sum(math.pi / 2.0 * float(np.var(each)) / len(each) for each in logs))
    return distance > SITE_ERRORS * error and _near(distance, factor)


def odd_within_patients(values: Floats, patients: Sequence[str], factor: float) -> Iterator[tuple[int, float]]:
    """Values that lie a factor away from the same patient's others: position, and what those others are.

    >>> weights = np.array([70.0, 69.0, 154.0, *([80.0, 79.0, 81.0] * 10)])
    >>> who = ["a"] * 3 + [f"p{at // 3}" for at in range(30)]
    >>> list(odd_within_patients(weights, who, 2.2046))
    [(2, 69.5)]
    """
    where: dict[str, list[int]] = {}
    held: list[float] = values.tolist()
    for at, value in enumerate(held):
        if value > 0.0:
            where.setdefault(patients[at], []).append(at)
    found: list[tuple[int, float, float]] = []
    for positions in where.values():
        for at in positions:
            others = [held[other] for other in positions if other != at]
            if others:
                usual = median(others)
                found.append((at, usual, math.log(held[at] / usual)))
    if len(found) < FEWEST_PAIRS:
        return
    deviations = np.abs([deviation for _, _, deviation in found])
    usually = max(1.4826 * float(np.median(deviations)), SMALLEST_DEVIATION)
    if math.log(factor) < VISIT_DEVIATIONS * usually:  # a change of this size is nothing odd in this quantity
        return
    middle = float(np.median(np.log(values[values > 0.0])))
    for at, usual, deviation in found:
        one_of_two = (
            len(where[patients[at]]) == 2
        )  # which of them is odd? The one farther from all patients' middle
        nearer = abs(math.log(held[at]) - middle) <= abs(math.log(usual) - middle)
        if _near(abs(deviation), factor) and not (one_of_two and nearer):
            yield at, usual


def _of_one_curve(shares: Floats) -> Floats:
    """How many standard deviations apart the parts of one bell curve are, cut at a share below, shape (shares,).

    >>> _of_one_curve(np.array([0.5, 0.999])).round(2).tolist()
    [2.65, 3.39]
    """
    from scipy.special import ndtri

    density = np.exp(-(ndtri(shares) ** 2) / 2.0) / math.sqrt(2.0 * math.pi)
    both = shares * (1.0 - shares)
    apart = density / both
    return np.asarray(apart / np.sqrt(1.0 - both * apart**2), dtype=np.float64)


def _near(distance: float, factor: float) -> bool:
    """Whether a distance of logarithms is that of the factor."""
    log_factor = math.log(factor)
    return abs(distance - log_factor) < min(math.log(NEAREST), log_factor / 4.0)
