"""Where the values of a quantity usually lie, with the source: what a wrong unit is told by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from features.vocabulary import vocabulary
from training.contract.contract_readings import Floats
from training.reference.reference_constants import reference_constants

MIDDLE = (0.05, 0.95)
"""Assumption: a cohort whose median lies where only one patient in twenty would be, on one side, is odd."""
_GRID = 99  # quantiles of a marginal

REFERENCE = "the usual adult range of the vocabulary"
OF_WAYS = "the usual adult ranges of the vocabulary, from the lowest to the highest of the ways to measure it"
COHORT = "the middle 90 % of the reference cohort (constants with their sources in reference_cohort.toml)"
OF_PARTS = "the middle 90 % that the reference cohort's {} give"
OWN = {
    "fvc_l": (0.8, 6.0, "assumption: from severe weakness to the capacity of a tall, healthy adult"),
}


@dataclass(frozen=True, slots=True)
class TypicalRange:
    """Canonical values between which the median of a cohort may be expected, and where that is known from."""

    low: float
    high: float
    source: str


@cache
def typical_range(column: str) -> TypicalRange | None:
    """The typical range of a vocabulary column; None where nothing is known.

    The vocabulary's reference range where it has two sides; else the reference cohort's distribution.

    >>> typical_range("albumin_g_l")
    TypicalRange(low=35.0, high=50.0, source='the usual adult range of the vocabulary')
    >>> typical_range("pulse_bpm").low, typical_range("bmi_kg_m2").high, typical_range("alsfrs_speech")
    (60.0, 25.0, None)
    """
    if column in OWN:
        return TypicalRange(*OWN[column])
    quantity = vocabulary().by_column[column]
    if quantity.usual is not None and quantity.usual[0] > quantity.plausible[0]:
        return TypicalRange(*quantity.usual, OF_WAYS if quantity.references else REFERENCE)
    if column == "weight_kg":
        squared = (_quantiles("height_cm") / 100.0) ** 2
        return _middle(np.outer(_quantiles("bmi_kg_m2"), squared), OF_PARTS.format("height and body mass index"))
    if column == "months_since_onset":
        lag = _quantiles("enrolment_lag_months")
        parts = OF_PARTS.format("diagnostic delay and time to enrolment")
        return _middle(np.add.outer(_quantiles("diagnostic_delay_months"), lag), parts)
    values = _quantiles(column)
    return _middle(values, COHORT) if values.size else None


def _quantiles(variable: str) -> Floats:
    """Quantiles of a variable of the reference cohort, both sexes together; none if it has no distribution."""
    from scipy.special import ndtri

    known = reference_constants().variables.get(variable)
    scores = np.asarray(ndtri((np.arange(_GRID) + 0.5) / _GRID), dtype=np.float64)
    marginals = [] if known is None else [m for m in known.marginals.values() if m.kind != "categorical"]
    return np.concatenate([np.empty(0), *(marginal.values_at(scores) for marginal in marginals)])


def _middle(values: Floats, source: str) -> TypicalRange:
    low, high = np.quantile(values, MIDDLE)
    return TypicalRange(float(low), float(high), source)
