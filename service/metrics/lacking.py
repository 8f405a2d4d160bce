"""Which quantities a record lacks of those that a model takes."""

from __future__ import annotations

from features.consistency import COMPLETED_FROM
from features.matrix import DesignMatrix
from features.record import PatientRecord


def lacking(matrix: DesignMatrix, record: PatientRecord) -> tuple[str, ...]:
    """The quantities of the model that no visit has, and that do not follow from others.

    >>> from features.record import Measurement, Visit
    >>> matrix = DesignMatrix(("nlr", "crp_mg_l", "nfl_pg_ml", "alsfrs_r_total"))
    >>> measured = {name: Measurement(3.0) for name in ("neutrophils", "lymphocytes", "crp")}
    >>> lacking(matrix, PatientRecord((Visit(9.0, measured),)))
    ('alsfrs_r_total', 'nfl')
    """
    measured = {"months_since_onset", *(name for visit in record.visits for name in visit.measurements)}
    if record.age_years is not None:
        measured.add("age")
    if record.diagnostic_delay_months is not None:
        measured.add("diagnostic_delay")
    missing = matrix.quantities.keys() - measured
    return tuple(sorted(name for name in missing if not _follows(name, record)))


def _follows(name: str, record: PatientRecord) -> bool:
    parts = COMPLETED_FROM.get(name)
    return parts is not None and any(visit.measurements.keys() >= set(parts) for visit in record.visits)
