"""The outcome: the progression rate over the twelve months after the index visit, with its standard error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from features.change import NOISE_SD, slope
from features.derive import Scale, complete
from features.record import PatientRecord

HORIZON_MONTHS = 12.0
SHORTEST_SPAN_MONTHS = 3.0
SPAN_TOLERANCE_MONTHS = 0.1  # visits "at 3 months" are dated in days: 91 days are 2.99 months


MOST_ALIKE_SHARE = 0.5
"""Largest share of outcomes that may be one and the same rate. An assumption, far from real cohorts: in PRO-ACT the
commonest rate, 2/3, is that of 8 % of 11,842 outcomes (calculated)."""
RATE_DECIMALS = 9  # two rates that differ by less are one, computed from other dates


class NoOutcome(Enum):
    """Why an index visit has no outcome."""

    NO_SCORE = "no functional score at the index visit"
    NO_LATER_SCORE = "no functional score in the twelve months after the index visit"
    SHORT = "scores after the index visit span less than three months"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Points lost per month (positive = decline), its standard error, and on how many visits it rests."""

    progression_rate: float
    standard_error: float
    visits: int
    span_months: float


def outcome(record: PatientRecord, visit: int, scale: Scale) -> Outcome | NoOutcome:
    """The rate after ``record.visits[visit]``, by least squares on the scores from that visit to 12 months later.

    The standard error is that of a least-squares slope whose points have the published noise of one score,
    ``NOISE_SD / sqrt(sum (t - mean t)^2)``: with two to five visits the residuals cannot tell it.

    >>> from features.record import Measurement, Visit
    >>> visits = tuple(Visit(m, {"alsfrs_r_total": Measurement(s)}) for m, s in ((10, 40), (16, 37), (22, 34)))
    >>> found = outcome(PatientRecord(visits), 0, "alsfrs_r_total")
    >>> found.progression_rate, round(found.standard_error, 4), found.visits
    (0.5, 0.1237, 3)
    """
    index = record.visits[visit].month
    points = [
        (later.month, score.value)
        for later in record.visits[visit:]
        if later.month <= index + HORIZON_MONTHS + SPAN_TOLERANCE_MONTHS
        and (score := complete(later).get(scale)) is not None
        and score.comparator is None
    ]
    if not points or points[0][0] != index:
        return NoOutcome.NO_SCORE
    if len(points) < 2:
        return NoOutcome.NO_LATER_SCORE
    span = points[-1][0] - points[0][0]
    if span < SHORTEST_SPAN_MONTHS - SPAN_TOLERANCE_MONTHS:
        return NoOutcome.SHORT
    centre = sum(month for month, _ in points) / len(points)
    spread = sum((month - centre) ** 2 for month, _ in points)
    return Outcome(-slope(points), NOISE_SD / math.sqrt(spread), len(points), span)


def commonest_rate(rates: Sequence[float]) -> tuple[float, float]:
    """The rate that most outcomes have, in points/month, and its share of them; there must be at least one outcome.

    >>> commonest_rate([0.5, 0.5 + 1e-13, 0.5, 1.2])
    (0.5, 0.75)
    """
    counts = Counter(round(rate, RATE_DECIMALS) for rate in rates)
    [(rate, count)] = counts.most_common(1)
    return rate, count / len(rates)


def alike(rates: Sequence[float]) -> str | None:
    """What is wrong with outcomes of which most are one and the same rate, as a sentence; None if they vary.

    A model of them would be right of nearly everybody in cross-validation and know nothing.

    >>> alike([0.5, 0.5, 0.5, 1.2])
    '75 % of the 4 outcomes are the same rate, 0.5 points/month'
    >>> alike([0.5, 0.7, 0.2, 1.2]) is None
    True
    """
    if not rates:
        return None
    rate, share = commonest_rate(rates)
    if share <= MOST_ALIKE_SHARE:
        return None
    return f"{100 * share:.0f} % of the {len(rates)} outcomes are the same rate, {rate + 0.0:.6g} points/month"
