"""What the parser of training refuses, as findings: nothing is judged here, only placed in the table."""

from __future__ import annotations

from collections.abc import Iterator

from features.problem import Problem
from features.table import DATE, PATIENT, TIME, TablePatient, absent, row_and_column
from training.contract.contract_finding import Finding, Material, Severity


def refusals(material: Material) -> Iterator[Finding]:
    """Every problem of every patient that the parser refuses; training leaves such a patient out whole."""
    for patient in material.patients:
        for problem in patient.problems:
            yield _finding(material, patient, problem)


def _finding(material: Material, patient: TablePatient, problem: Problem) -> Finding:
    row, column = row_and_column(problem.field)
    rows = material.table.rows
    if row is None:  # the parser told it of the patient: the first row that holds it
        said = [at for at in patient.rows if not absent(rows[at].get(column))]
        row = next(iter(said or patient.rows)) + 1
    if not column:
        column = TIME if not absent(rows[row - 1].get(TIME)) else DATE
    column = column if column in material.table.columns or column not in ("record", "visits") else PATIENT
    return Finding(
        Severity.ERROR,
        problem.code,
        problem.rule,
        problem.remedy,
        column=column,
        row=row,
        patient_id=patient.patient_id,
        value=problem.value,
    )
