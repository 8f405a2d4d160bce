"""Rules about whole patients: who is twice there, and what should not change but does."""

from __future__ import annotations

from collections.abc import Iterator

from features.table import DEATH, PATIENT, SITE, TablePatient, absent
from features.units import plain
from training.contract.contract_finding import Finding, Material, Severity

FEWEST_EQUAL_VALUES = 10
"""Assumption: two people do not share this many measured values, visit for visit."""
SHARE_OF_EQUAL_VALUES = 0.9  # assumption: the rest was corrected in one of the two
HEIGHT_TOLERANCE_CM = 5.0
"""Assumption: repeated heights of an adult differ by less."""


def two_identifiers(material: Material) -> Iterator[Finding]:
    """Patients who have the same measurements at the same times under two identifiers."""
    cells = _cells(material)
    scale = material.table.scale
    seen: dict[object, list[TablePatient]] = {}
    for patient in material.patients:
        course = tuple((str(material.months[at]), cells[at].get(scale)) for at in patient.rows)
        for first in seen.setdefault(course, []):
            pairs = zip(patient.rows, first.rows, strict=True)
            both = [cells[at].items() & cells[before].items() for at, before in pairs]
            values = sum(len(cells[at]) for at in patient.rows)
            equal = sum(len(each) for each in both)
            if equal >= max(FEWEST_EQUAL_VALUES, SHARE_OF_EQUAL_VALUES * values):
                rule = (
                    f"has {equal} of its {values} values in common with {first.patient_id} "
                    f"(row {first.rows[0] + 1}), at the same times"
                )
                remedy = "take one of the two away, or training sees the patient twice"
                at = patient.rows[0]
                yield _patient(patient, at, "same_patient_twice", PATIENT, patient.patient_id, rule, remedy)
                break
        seen[course].append(patient)


def _cells(material: Material) -> list[dict[str, float]]:
    """The numbers of visits, by row and column."""
    cells: list[dict[str, float]] = [{} for _ in material.table.rows]
    for column, found in material.readings.items():
        if found.quantity.level == "visit":
            for at, value in zip(found.rows.tolist(), found.values.tolist(), strict=True):
                cells[at][column] = value
    return cells


def alike_identifiers(material: Material) -> Iterator[Finding]:
    """Identifiers that differ in case or spaces alone."""
    seen: dict[str, TablePatient] = {}
    for patient in material.patients:
        first = seen.setdefault(" ".join(patient.patient_id.casefold().split()), patient)
        if first is not patient:
            rule = f"differs from {first.patient_id!r} (row {first.rows[0] + 1}) in case or spaces alone"
            remedy = "write an identifier in one way, or training takes one patient for two"
            value = repr(patient.patient_id)
            yield _patient(patient, patient.rows[0], "alike_identifiers", PATIENT, value, rule, remedy)


def two_sites(material: Material) -> Iterator[Finding]:
    """A patient at two sites."""
    yield from _changing(
        material,
        SITE,
        "two_sites",
        "one identifier for two patients of two sites? Put the site before the identifier; if the patient moved, "
        "nothing need be done",
    )


def two_deaths(material: Material) -> Iterator[Finding]:
    """A month of death that changes."""
    yield from _changing(material, DEATH, "two_deaths", "write one month of death on all rows of the patient")


def changing_height(material: Material) -> Iterator[Finding]:
    """A height that changes by more than measuring explains."""
    found = material.readings.get("height_cm")
    heights = {} if found is None else dict(zip(found.rows.tolist(), found.values.tolist(), strict=True))
    for patient in material.patients:
        rows = [at for at in patient.rows if at in heights]
        for at in rows[1:]:
            if abs(heights[at] - heights[rows[0]]) > HEIGHT_TOLERANCE_CM:
                rule = (
                    f"differs from {plain(heights[rows[0]])} cm at row {rows[0] + 1} by more than "
                    f"{plain(HEIGHT_TOLERANCE_CM)} cm (an assumption)"
                )
                value = f"{plain(heights[at])} cm"
                remedy = "correct one of them, or split the patient"
                yield _patient(patient, at, "changing_height", "height_cm", value, rule, remedy)


def _changing(material: Material, column: str, code: str, remedy: str) -> Iterator[Finding]:
    rows = material.table.rows
    for patient in material.patients:
        said = [at for at in patient.rows if not absent(rows[at].get(column))]
        others = [at for at in said if rows[at][column] != rows[said[0]][column]]
        if others:
            rule = f"differs from {rows[said[0]][column]} at row {said[0] + 1}"
            yield _patient(patient, others[0], code, column, str(rows[others[0]][column]), rule, remedy)


def _patient(patient: TablePatient, at: int, code: str, column: str, value: str, rule: str, remedy: str) -> Finding:
    return Finding(
        Severity.WARNING,
        code,
        rule,
        remedy,
        column=column,
        row=at + 1,
        patient_id=patient.patient_id,
        value=value,
    )
