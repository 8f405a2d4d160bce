"""The change per month of a quantity: what its readings tell of it, and how much they tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

NOISE_SD = 1.05
"""Noise of one score in points: SD of visit pairs at most 14 days apart, n = 1034, calculated from PRO-ACT."""
SETTLED = 8.0
"""Months^2: the variance of one reading's noise over that of true changes per month about what is expected.

Of a functional score 1.05^2 / 0.146 = 7.6, rounded: the changes of 3,344 PRO-ACT patients over their first six
months lie about their courses so far with a variance of 0.207 (from the median), of which 2 x 1.05^2 / 36 is noise.
For all other quantities it is an assumption; docs/decisions/0015-changes-over-short-spans.md has what PRO-ACT says.
"""
ROUNDING = 1e-12  # of the values: a change below it is how floats were summed, not what was measured

Points = Sequence[tuple[float, float]]
"""(month since onset, value), in time order."""


def change_per_month(points: Points, maximum: float | None = None) -> float:
    """The change per month that is most likely, given readings at two or more times.

    The slope of least squares, and what was expected without them, weighed by how precise each is: with S the sum
    of squared distances from the mean time, the slope has the weight S / (S + 8 months^2), see `weight`. So no span
    is too short, and a short one says little. Expected of a functional score is its course so far (from ``maximum``
    at onset to the last reading), of any other quantity no change.

    >>> round(change_per_month([(10.0, 4.0), (18.0, 12.0)]), 3), change_per_month([(0.1, 0.3), (1.4, 0.3)])
    (0.8, 0.0)
    >>> two_days, a_year = [(10.0, 40.0), (10.0657, 38.0)], [(10.0, 40.0), (22.0, 28.0)]
    >>> round(change_per_month(two_days, 48.0), 2), round(change_per_month(a_year, 48.0), 2)
    (-1.0, -0.99)
    """
    expected = 0.0 if maximum is None else _expected(points, maximum)
    across, along = _moments(points)
    return (across + SETTLED * expected) / (along + SETTLED)


def weight(points: Points) -> float:
    """The share that the readings have in `change_per_month`; the rest is what was expected without them.

    >>> [round(weight([(10.0, 40.0), (10.0 + days / 30.4375, 40.0)]), 3) for days in (1, 28, 91, 365)]
    [0.0, 0.05, 0.358, 0.9]
    """
    _, along = _moments(points)
    return along / (along + SETTLED)


def surprise(points: Points, maximum: float) -> float:
    """How far the readings of a functional score lie from its course so far, in standard deviations.

    The slope of least squares and what was expected differ by the noise of the readings, ``NOISE_SD^2 / S``, and by
    true changes about what is expected, ``NOISE_SD^2 / 8``; see `SETTLED`. Negative: the score fell faster.

    >>> twenty_in_three_months, usual = [(20.0, 41.0), (23.0, 21.0)], [(20.0, 41.0), (23.0, 39.0)]
    >>> round(surprise(twenty_in_three_months, 48.0), 1), round(surprise(usual, 48.0), 1)
    (-8.9, -0.4)
    """
    across, along = _moments(points)
    return _surprise(across, along, _expected(points, maximum))


def slope(points: Points) -> float:
    """Least-squares slope of (x, y) points with at least two different x.

    A slope that is nothing beside the rounding of the values is 0: trees ask on which side of 0 a change is.

    >>> slope([(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)]), slope([(0.1, 0.3), (1.4, 0.3), (9.7, 0.3)])
    (2.5, 0.0)
    """
    across, along = _moments(points)
    return across / along


def _expected(points: Points, maximum: float) -> float:
    """The course so far: from the maximum at onset to the last reading."""
    month, value = points[-1]
    return (value - maximum) / month if month > 0 else 0.0


def _surprise(across: float, along: float, expected: float) -> float:
    """Also compiled, for many rows: the same operations in the same order."""
    return (across - expected * along) / (NOISE_SD * math.sqrt(along * (along + SETTLED) / SETTLED))


def _moments(points: Points) -> tuple[float, float]:
    """Sums of the products of distances from the means, and of squared distances from the mean of x."""
    count = len(points)
    total_x = total_y = across = along = most = 0.0
    for x, y in points:
        total_x += x
        total_y += y
    mean_x, mean_y = total_x / count, total_y / count
    for x, y in points:
        away = x - mean_x
        across += away * (y - mean_y)
        along += away * away  # not a power: that may differ in the last bit from machine to machine
        most += abs(away * y)
    return (across if abs(across) > ROUNDING * most else 0.0), along
