"""The change per month of a quantity: what its readings tell of it, and how much they tell."""

from __future__ import annotations

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
    month, value = points[-1]
    expected = (value - maximum) / month if maximum is not None and month > 0 else 0.0
    across, along = _moments(points)
    return (across + SETTLED * expected) / (along + SETTLED)


def weight(points: Points) -> float:
    """The share that the readings have in `change_per_month`; the rest is what was expected without them.

    >>> [round(weight([(10.0, 40.0), (10.0 + days / 30.4375, 40.0)]), 3) for days in (1, 28, 91, 365)]
    [0.0, 0.05, 0.358, 0.9]
    """
    _, along = _moments(points)
    return along / (along + SETTLED)


def slope(points: Points) -> float:
    """Least-squares slope of (x, y) points with at least two different x.

    A slope that is nothing beside the rounding of the values is 0: trees ask on which side of 0 a change is.

    >>> slope([(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)]), slope([(0.1, 0.3), (1.4, 0.3), (9.7, 0.3)])
    (2.5, 0.0)
    """
    across, along = _moments(points)
    return across / along


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
