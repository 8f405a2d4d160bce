"""From a `PatientRecord` back to the JSON value that a clinic system sends: the inverse of `features.parse`."""

from __future__ import annotations

from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import Quantity, vocabulary


def compose(record: PatientRecord) -> dict[str, object]:
    """The JSON value that `parse_record` reads as this record, in canonical units and months since onset.

    Months have no margin: that of an onset or a birth known to the month or the year is not in it.

    >>> from datetime import date
    >>> from features.parse import parse_record
    >>> record = PatientRecord((Visit(18.0, {"crp": Measurement(0.3, "<")}),), {"sex": "male"}, age_years=61.5)
    >>> parse_record(compose(record), today=date.max) == record
    True
    """
    words = vocabulary().quantities
    body: dict[str, object] = {} if record.reference is None else {"reference": record.reference}
    body.update(record.categories)
    for name, value in (("age", record.age_years), ("diagnostic_delay", record.diagnostic_delay_months)):
        if value is not None:
            body[name] = {"value": value, "unit": words[name].unit}
    body["visits"] = [_visit(visit) for visit in record.visits]
    return body


def _visit(visit: Visit) -> dict[str, object]:
    words = vocabulary().quantities
    body: dict[str, object] = {
        "months_since_onset": {"value": visit.month, "unit": words["months_since_onset"].unit}
    }
    if visit.riluzole is not None:
        body["riluzole"] = visit.riluzole
    body["measurements"] = {
        name: _measurement(words[name], measurement) for name, measurement in visit.measurements.items()
    }
    return body


def _measurement(quantity: Quantity, measurement: Measurement) -> dict[str, object]:
    body: dict[str, object] = {"value": measurement.value, "unit": quantity.unit}
    if measurement.comparator is not None:
        body["comparator"] = measurement.comparator
    return {**body, **dict(measurement.qualifiers)}
