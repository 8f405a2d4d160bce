"""Rows of a table for tests, and what comes of them."""

from __future__ import annotations

from features.record import Measurement, PatientRecord
from features.table import Row, patients
from tests.measured import stated


def row(patient: object = "a", month: object = 12.0, **cells: object) -> dict[str, object]:
    return {"patient_id": patient, "months_since_onset": month, **stated(cells)}


def only(rows: list[Row], units: dict[str, str] | None = None) -> PatientRecord:
    [patient] = patients(rows, units)
    assert patient.problems == ()
    assert patient.record is not None
    return patient.record


def last(rows: list[Row], units: dict[str, str] | None = None) -> dict[str, Measurement]:
    return dict(only(rows, units).index_visit.measurements)


def told(rows: list[Row], units: dict[str, str] | None = None) -> list[str]:
    [patient] = patients(rows, units)
    assert patient.record is None
    return [str(problem) for problem in patient.problems]
