"""How the Tregs of tests are measured: as those of the reference cohort, and otherwise where a test says so."""

from __future__ import annotations

from features.record import Measurement
from features.vocabulary import Qualifiers

GATED: Qualifiers = (("treg_gate", "cd25_cd127low"),)
SHARED: Qualifiers = (("treg_denominator", "cd4"), *GATED)
AT_1_TO_1: Qualifiers = (("treg_responder_ratio", "1:1"),)
MEASURED_AS: dict[str, Qualifiers] = {"treg_count": GATED, "treg_pct_cd4": SHARED, "treg_suppression": AT_1_TO_1}
QUALIFIED = tuple(MEASURED_AS.items())
COLUMNS = {key: value for said in MEASURED_AS.values() for key, value in said}  # of a table
OF_COLUMN = {"treg_count_per_ul": GATED, "treg_pct_cd4": SHARED, "treg_suppression_pct": AT_1_TO_1}


def measurement(name: str, value: float, comparator: str | None = None) -> Measurement:
    return Measurement(value, comparator, MEASURED_AS.get(name, ()))  # type: ignore[arg-type]


def sent(name: str, value: float, unit: str) -> dict[str, object]:
    """The JSON value of a measurement."""
    return {"value": value, "unit": unit, **dict(MEASURED_AS.get(name, ()))}


def stated(cells: dict[str, object]) -> dict[str, object]:
    """Cells of a row with how its Tregs were measured, where it has any and does not say."""
    said = {key: value for column in cells if column in OF_COLUMN for key, value in OF_COLUMN[column]}
    return {**said, **cells}
