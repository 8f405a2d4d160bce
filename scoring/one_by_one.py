"""Rows understood one by one, by the parser and the rules of a single record: all that is out of the ordinary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from features.table import Row, patients
from model.predictor import Predictor
from scoring.understood import Understood


def understand_rows(
    predictor: Predictor,
    rows: Sequence[Row],
    into: Understood,
    *,
    positions: Sequence[int],
    numbers: Sequence[int],
    units: Mapping[str, str],
    today: date,
) -> None:
    """What is to be said of rows, each as its patient's index visit.

    Args:
        predictor: what answers.
        rows: cells by vocabulary column; all rows of each patient.
        into: what is filled.
        positions: where each row stands in it.
        numbers: what each row is called in a problem.
        units: the unit of a column where it is not the canonical one.
        today: no visit may be after it.
    """
    for patient in patients(rows, units, numbers=numbers, today=today):
        for visit, row in enumerate(patient.rows):
            if patient.record is None:
                into.problems[positions[row]] = patient.problems
            else:
                into.of_record(positions[row], patient.record.until(visit), predictor)
