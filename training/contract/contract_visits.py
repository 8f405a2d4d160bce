"""Rules about one visit and the one before it: times that cannot be, scores that rise, pressures that cross."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from features.change import NOISE_SD
from features.derive import complete
from features.identifier import LIKE_NOTHING
from features.table import DATE, DEATH, PATIENT, absent, day_of, number
from features.units import plain
from training.contract.contract_finding import Finding, Material, Severity

MONTHS_TOLERANCE = 0.5
"""Assumption: a day of death and a day of visit, each rounded to months, may cross by this much."""
LARGEST_GAIN = 4.0 * math.sqrt(2.0) * NOISE_SD
"""Points between two visits: four standard deviations (assumption) of a difference of two scores, each with the
noise of one score that is calculated from PRO-ACT."""


def after_death(material: Material) -> Iterator[Finding]:
    """A visit later than the patient's death."""
    for patient in material.patients:
        deaths = [_month_of_death(material, at) for at in patient.rows]
        known = [month for month in deaths if month is not None]
        for at in patient.rows:
            if known and material.months[at] > min(known) + MONTHS_TOLERANCE:
                yield _warning(
                    material,
                    at,
                    "visit_after_death",
                    DEATH,
                    f"{plain(min(known))} mo",
                    f"lies before this visit at {material.months[at]:.4g} months since onset",
                    "count death_month from onset, as visits are, or correct one of the two",
                )


def death_month(material: Material) -> Iterator[Finding]:
    """A month of death that is no number, or negative."""
    for at, row in enumerate(material.table.rows):
        month = _month_of_death(material, at)
        if not absent(row.get(DEATH)) and (month is None or month < 0.0):
            rule = "is not a number of months since onset"
            remedy = "write months since onset, or leave the cell empty"
            yield _warning(material, at, "death_month", DEATH, str(row[DEATH]), rule, remedy)


def in_the_future(material: Material) -> Iterator[Finding]:
    """A visit after today."""
    for at, row in enumerate(material.table.rows):
        try:
            day = date.fromisoformat(day_of(row.get(DATE)))
        except ValueError:
            continue  # absent, or refused by the parser
        if day > material.today:
            rule = f"is after today, {material.today.isoformat()}"
            yield _warning(material, at, "future_visit", DATE, day.isoformat(), rule, "check the year")


def rising_score(material: Material) -> Iterator[Finding]:
    """A score that rises by more than its noise explains."""
    scale = material.table.scale
    for patient, record in material.records:
        scored = [
            (at, found[scale].value)
            for at, visit in zip(patient.rows, record.visits, strict=True)
            if scale in (found := complete(visit))
        ]
        for (_, before), (at, after) in pairwise(scored):
            if after - before > LARGEST_GAIN:
                yield _warning(
                    material,
                    at,
                    "rising_score",
                    scale,
                    plain(after),
                    f"is {plain(after - before)} points above the visit before it; noise of SD {NOISE_SD} a score "
                    f"(PRO-ACT) gives up to {LARGEST_GAIN:.2g} (4 SD of a difference; 4 is an assumption)",
                    "check both scores and the order of the visits",
                )


def crossed_pressures(material: Material) -> Iterator[Finding]:
    """A diastolic pressure at or above the systolic one, which by definition is the higher."""
    low, high = "diastolic_bp_mmhg", "systolic_bp_mmhg"
    if low not in material.readings or high not in material.readings:
        return
    found = material.readings[high]
    systolic = dict(zip(found.rows.tolist(), found.values.tolist(), strict=True))
    found = material.readings[low]
    for at, value in zip(found.rows.tolist(), found.values.tolist(), strict=True):
        if value >= systolic.get(at, math.inf):
            rule = f"is not below the systolic pressure, {plain(systolic[at])} mm[Hg]"
            remedy = "check the two for a swap"
            yield _warning(material, at, "crossed_pressures", low, f"{plain(value)} mm[Hg]", rule, remedy)


def without_patient(material: Material) -> Iterator[Finding]:
    """A row without patient, which training takes for a patient of its own; and a patient whose name is NA."""
    named: set[object] = set()
    for at, row in enumerate(material.table.rows):
        cell = row.get(PATIENT)
        if cell in LIKE_NOTHING and cell not in named:
            named.add(cell)
            rule = "is taken as it stands: all rows of this name are of one patient"
            remedy = "leave the cell empty where no patient is meant"
            yield _warning(material, at, "identifier_like_missing", PATIENT, str(cell), rule, remedy)
        if absent(cell):
            rule = "is empty: the row counts as a patient of its own"
            yield _warning(material, at, "no_patient_id", PATIENT, None, rule, "fill it in, or take the row away")


def _month_of_death(material: Material, at: int) -> float | None:
    value = number(material.table.rows[at].get(DEATH))
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and isinstance(value, (int, float)) else None


def _warning(
    material: Material, at: int, code: str, column: str, value: str | None, rule: str, remedy: str
) -> Finding:
    owner = material.owners[at]
    return Finding(Severity.WARNING, code, rule, remedy, column=column, row=at + 1, patient_id=owner, value=value)
