"""Derived features: pure functions of the history up to the index visit.

A record ends with its index visit (`PatientRecord.until` cuts it there), so nothing that came later can leak in.
What cannot be derived is absent; nothing is imputed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Literal

from features.change import change_per_month
from features.consistency import COMPLETED
from features.identity import Identity
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import Qualifiers, Quantity, vocabulary

Scale = Literal["alsfrs_r_total", "alsfrs_total"]
SCALE_MAXIMUM: Mapping[str, float] = {"alsfrs_r_total": 48.0, "alsfrs_total": 40.0}
AGE_DECIMALS = 6  # half a minute: `until` and tables count ages back and forth, which must leave no trace
CHANGE, DRAWN = "_change_per_month", "_months_since_drawn"
Readings = Mapping[str, Sequence[tuple[float, Measurement]]]
"""(month, measurement) by quantity, in time order."""
MeasuredAs = Mapping[str, Qualifiers]
"""By quantity that has qualifiers: how its values have to be measured to be comparable with those of training."""
NOTHING_QUALIFIED: MeasuredAs = MappingProxyType({})


def derive(record: PatientRecord, scale: Scale, measured_as: MeasuredAs = NOTHING_QUALIFIED) -> dict[str, float]:
    """All features of a record, by column; a column that is absent was not measured.

    For each quantity of a visit: the last value; its change per month, where it was measured at least twice, as far
    as the readings tell it (`features.change`); months from its last measurement to the index visit. A value beyond
    a limit of detection counts as that limit for the last value and not at all for the change. For the patient:
    age, diagnostic delay, months since onset, categories as 0/1, and ``delta_fs`` on the scale given: points lost
    by the last score, over the months from onset to that score. Of quantities that have qualifiers only values that
    are ``measured_as`` those of training count; by default none does.

    >>> visits = tuple(Visit(month, {"alsfrs_r_total": Measurement(score)}) for month, score in ((6, 44), (10, 40)))
    >>> features = derive(PatientRecord(visits), "alsfrs_r_total")
    >>> features["alsfrs_r_total"], features["alsfrs_r_total_change_per_month"], features["delta_fs"]
    (40, -0.9, 0.8)
    """
    return derive_from(readings_of(record, measured_as), record, scale)


def derive_from(readings: Readings, record: PatientRecord, scale: Scale) -> dict[str, float]:
    """The same, of readings that are known already."""
    index = record.index_visit.month
    features = _patient(record)
    quantities = vocabulary().quantities
    for name, found in readings.items():
        _of_quantity(quantities[name], found, index, features)
    if scale in readings:
        month, score = readings[scale][-1]
        if month > 0:
            features["delta_fs"] = (SCALE_MAXIMUM[scale] - score.value) / month
    return features


def complete(visit: Visit, measured_as: MeasuredAs = NOTHING_QUALIFIED) -> dict[str, Measurement]:
    """The comparable measurements of a visit, with those that follow exactly from others of the same visit.

    >>> visit = Visit(0.0, {"neutrophils": Measurement(4.5), "lymphocytes": Measurement(1.5)})
    >>> complete(visit)["nlr"].value
    3.0
    """
    measured = dict(visit.measurements)
    for quantity in qualified():
        if quantity.name in measured and not comparable(quantity, measured[quantity.name], measured_as):
            del measured[quantity.name]
    for name, found in following(measured).items():
        if comparable(vocabulary().quantities[name], found, measured_as):
            measured[name] = found
    return measured


def following(measured: Mapping[str, Measurement]) -> dict[str, Measurement]:
    """What was not measured, and follows exactly from these measurements of one visit; measured as its parts."""
    found: dict[str, Measurement] = {}
    for identity in COMPLETED:
        if identity.name not in measured and identity.parts[0] in measured:
            made = _computed(identity, measured)
            if made is not None:
                found[identity.name] = made
    return found


@cache
def qualified() -> tuple[Quantity, ...]:
    """The quantities whose values mean nothing without how they were measured; the others are always comparable."""
    return tuple(quantity for quantity in vocabulary().quantities.values() if quantity.qualifiers)


def comparable(quantity: Quantity, measurement: Measurement, measured_as: MeasuredAs) -> bool:
    """Whether a value was measured as those of training were (gate, denominator, Treg:responder ratio)."""
    return not quantity.qualifiers or measurement.qualifiers == measured_as.get(quantity.name)


def _computed(identity: Identity, measured: Mapping[str, Measurement]) -> Measurement | None:
    parts = [measured.get(part) for part in identity.parts]
    if any(part is None or part.comparator is not None for part in parts):
        return None
    qualifiers = identity.inherited(measured)
    if qualifiers is None:
        return None
    value = identity.compute({name: measured[name].value for name in identity.parts})
    low, high = vocabulary().quantities[identity.name].plausible
    return Measurement(value, None, qualifiers) if low <= value <= high else None


def readings_of(record: PatientRecord, measured_as: MeasuredAs = NOTHING_QUALIFIED) -> Readings:
    """All comparable readings of a record, those that follow from others of the same visit among them.

    >>> visit = Visit(3.0, {"neutrophils": Measurement(4.5), "lymphocytes": Measurement(1.5)})
    >>> [(month, item.value) for month, item in readings_of(PatientRecord((visit,)))["nlr"]]
    [(3.0, 3.0)]
    """
    readings: dict[str, list[tuple[float, Measurement]]] = {}
    for visit in record.visits:
        for name, measurement in complete(visit, measured_as).items():
            readings.setdefault(name, []).append((visit.month, measurement))
    return readings


def _of_quantity(
    quantity: Quantity, readings: Sequence[tuple[float, Measurement]], index: float, features: dict[str, float]
) -> None:
    month, last = readings[-1]
    features[quantity.column] = last.value
    features[quantity.column + DRAWN] = index - month
    if len(readings) == 1:
        return
    exact = [(month, item.value) for month, item in readings if item.comparator is None]
    if len(exact) >= 2:
        features[quantity.column + CHANGE] = change_per_month(exact, SCALE_MAXIMUM.get(quantity.name))


def _patient(record: PatientRecord) -> dict[str, float]:
    features = {"months_since_onset": record.index_visit.month}
    if record.age_years is not None:
        features["age_years"] = round(record.age_years, AGE_DECIMALS)
    if record.diagnostic_delay_months is not None and record.knows_diagnosis:
        features["diagnostic_delay_months"] = record.diagnostic_delay_months
    values = dict(record.categories)
    for visit in record.visits:
        if visit.riluzole is not None:
            values["riluzole"] = visit.riluzole
    for name, value in values.items():
        for column, one in vocabulary().categories[name].columns.items():
            features[column] = 1.0 if value == one else 0.0
    return features
