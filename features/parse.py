"""From a JSON value to a `PatientRecord`: strict, in canonical units, every problem at once.

The shape (also served as ``/v1/schema``)::

    {"reference": "optional, echoed", "sex": "female", "onset_site": "bulbar", "c9orf72": "normal",
     "age": {"value": 61, "unit": "a"}, "diagnostic_delay": {"value": 11, "unit": "mo"},
     "onset_date": "2024-05-10", "birth_date": "1963-11",
     "visits": [{"date": "2025-09-01", "riluzole": "yes",
                 "measurements": {"crp": {"value": 0.3, "unit": "mg/L", "comparator": "<"}}}]}

A visit has either a ``date`` (then the record has an ``onset_date``) or ``months_since_onset``, a number with a
unit. Only ``visits`` and, for each, its time and its measurements are required. ``age`` is that at the index
visit; it also follows from a ``birth_date``, where visits have dates. ``onset_date`` and ``birth_date`` may be
known to the month or the year alone: see `features.period`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from features.consistency import contradictions, late_diagnosis
from features.measurement import parse_measurement, plain_measurement
from features.parse_time import TimeReader
from features.period import Period
from features.problem import Rejected, shown
from features.record import Measurement, PatientRecord, Visit
from features.reference_rule import broken_rule
from features.units import DAYS_PER_MONTH
from features.vocabulary import Vocabulary, vocabulary

MOST_VISITS = 400
LONGEST_REFERENCE = 128
RECORD_KEYS = ("reference", "onset_date", "birth_date", "age", "diagnostic_delay", "visits")  # and categories
VISIT_KEYS = ("date", "months_since_onset", "riluzole", "measurements")


def parse_record(value: object, *, today: date, afterwards: bool = False) -> PatientRecord:
    """The record that a JSON value holds.

    Args:
        value: the parsed JSON value.
        today: the date of the caller's clock; a visit after it is refused.
        afterwards: whether it was put together later than its last visit, as tables are: a diagnosis after that
            visit is then left out, in place of refused.

    Raises:
        Rejected: with every problem of the record, in the order of its fields.

    >>> record = parse_record({"visits": [{"months_since_onset": {"value": 1.5, "unit": "a"},
    ...     "measurements": {"crp": {"value": 0.82, "unit": "mg/dL"}}}]}, today=date(2026, 1, 1))
    >>> record.index_visit
    Visit(month=18.0, measurements={'crp': Measurement(value=8.2, comparator=None, qualifiers=())}, riluzole=None)
    """
    reader = _Reader(vocabulary(), today, afterwards=afterwards)
    record = reader.record(value)
    if reader.problems or record is None:
        raise Rejected(reader.problems)
    return record.until(-1) if afterwards else record


def parse_reference(value: object) -> str | None:
    """The caller's reference in a record that may be wrong otherwise; None where it has none that can be echoed.

    >>> parse_reference({"reference": "A-1", "visits": "none"}), parse_reference({"reference": 7})
    ('A-1', None)
    """
    if not isinstance(value, dict):
        return None
    return _Reader(vocabulary(), date.max).reference(value.get("reference"))


class _Reader(TimeReader):
    """Reads a record; a part that cannot be read is None."""

    def __init__(self, words: Vocabulary, today: date, *, afterwards: bool = False) -> None:
        super().__init__(words, today)
        self.afterwards = afterwards

    def record(self, value: object) -> PatientRecord | None:
        patient_categories = [name for name in self.words.categories if name not in VISIT_KEYS]
        body = self.object("record", value, (*RECORD_KEYS, *patient_categories), required=("visits",))
        if body is None:
            return None
        categories = {
            name: text
            for name in patient_categories
            if name in body and (text := self.category(name, name, body[name])) is not None
        }
        days = self.days(body.get("visits"))
        onset = self.onset(body, days)
        age, age_margin = self.age(body, days)
        delay = self.number("diagnostic_delay", body)
        visits = self.visits(body.get("visits"), onset, "onset_date" in body, delay) if "visits" in body else ()
        return PatientRecord(
            visits=visits,
            categories=categories,
            age_years=age,
            diagnostic_delay_months=delay,
            reference=self.reference(body.get("reference")),
            onset_margin_months=0.0 if onset is None or not days else onset.margin / DAYS_PER_MONTH,
            age_margin_years=age_margin,
        )

    def visits(
        self, value: object, onset: Period | None, has_onset: bool, delay: float | None
    ) -> tuple[Visit, ...]:
        if not isinstance(value, list):
            self.add("wrong_type", "visits", shown(value), "is not a list", "send a list of visits")
            return ()
        if not value:
            self.add("empty_history", "visits", None, "is empty", "send at least one visit")
        if len(value) > MOST_VISITS:
            rule = f"holds more than {MOST_VISITS} visits"
            self.add("too_many", "visits", str(len(value)), rule, "send the most recent ones")
            return ()
        visits: list[Visit] = []
        month = before = None  # of the last visit and of the one before it; None where they cannot be read
        styles: set[str] = set()
        for position, item in enumerate(value):
            path, month = f"visits[{position}]", None
            body = self.object(path, item, VISIT_KEYS, required=("measurements",))
            if body is None:
                continue
            times = {key for key in ("date", "months_since_onset") if key in body}
            styles |= times if len(times) == 1 else set()  # a visit with both is told so by itself
            month = self.month(path, body, onset, has_onset)
            self.order(path, month, before)
            before = month if month is not None else before
            visits.append(self.visit(path, body, month))
        if len(styles) == 2:
            rule = "mixes dates and months since onset"
            self.add("mixed_time", "visits", None, rule, "date all visits in one way")
        if not self.afterwards:
            latest = None if month is None or onset is None else month + onset.margin / DAYS_PER_MONTH
            self.problems += late_diagnosis(delay, month if latest is None or "date" not in styles else latest)
        return tuple(visits)

    def visit(self, path: str, body: Mapping[str, object], month: float | None) -> Visit:
        measured = self.measurements(f"{path}.measurements", body.get("measurements"))
        self.problems += contradictions(f"{path}.measurements", measured)
        riluzole = None
        if "riluzole" in body:
            riluzole = self.category(f"{path}.riluzole", "riluzole", body["riluzole"])
        return Visit(0.0 if month is None else month, measured, riluzole)

    def measurements(self, path: str, value: object) -> dict[str, Measurement]:
        if value is None:
            return {}  # said as missing_key already, or null, which object() has refused
        if not isinstance(value, dict):
            self.add("wrong_type", path, shown(value), "is not an object", "send measurements by name")
            return {}
        measured: dict[str, Measurement] = {}
        for name, item in value.items():
            quantity = self.words.quantities.get(name)
            if quantity is None or quantity.level == "patient":
                rule, remedy = self.near(name)
                self.add("unknown_key", f"{path}.{name[:80]}", None, rule, remedy)
                continue
            found = plain_measurement(quantity, item) or parse_measurement(f"{path}.{name}", quantity, item)
            if isinstance(found, Measurement):
                measured[name] = found
            else:
                self.problems += found
        return measured

    def month(self, path: str, body: Mapping[str, object], onset: Period | None, has_onset: bool) -> float | None:
        if ("date" in body) == ("months_since_onset" in body):
            rule = "has both a date and months_since_onset" if "date" in body else "has no time"
            self.add("visit_time", path, None, rule, "send either date or months_since_onset")
            return None
        if "months_since_onset" in body:
            return self.number("months_since_onset", body, path=f"{path}.months_since_onset")
        if not has_onset:
            rule = "is needed where visits have dates"
            self.add("missing_key", "onset_date", None, rule, "send onset_date, or months_since_onset by visit")
        day = self.past(f"{path}.date", body["date"], "future_visit")
        return None if day is None or onset is None else self.months_between(f"{path}.date", onset, day)

    def order(self, path: str, month: float | None, before: float | None) -> None:
        if month is None or before is None or month > before:
            return
        if month == before:
            rule = "is at the same time as the visit before it"
            self.add("duplicate_visit", path, None, rule, "merge the two, or drop one")
        else:
            rule = "is earlier than the visit before it"
            self.add("time_order", path, None, rule, "send visits in time order")

    def category(self, path: str, name: str, value: object) -> str | None:
        values = self.words.categories[name].values
        if isinstance(value, str) and value in values:
            return value
        choices = ", ".join(f'"{choice}"' for choice in values)
        code, rule = ("unknown_value", "is not one of the values") if isinstance(value, str) else _NOT_TEXT
        self.add(code, path, shown(value), rule, f"send one of {choices}, or leave it out")
        return None

    def reference(self, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self.add("wrong_type", "reference", shown(value), "is not a text", "send a text, or leave it out")
        elif len(value) > LONGEST_REFERENCE:
            rule = f"is longer than {LONGEST_REFERENCE} characters"
            self.add("too_long", "reference", shown(value), rule, "send a shorter one")
        elif not value.isprintable():
            rule = "holds characters that do not print"
            self.add("unprintable", "reference", shown(value), rule, "send plain text")
        elif (broken := broken_rule(value)) is not None:
            remedy = "send a pseudonym of that form, never a name or a record number, or leave it out"
            self.add("reference_pattern", "reference", shown(value), broken, remedy)
        else:
            return value
        return None

    def object(
        self, path: str, value: object, allowed: tuple[str, ...], required: tuple[str, ...]
    ) -> Mapping[str, object] | None:
        if not isinstance(value, dict):
            self.add("wrong_type", path, shown(value), "is not an object", "send a JSON object")
            return None
        at = "" if path == "record" else f"{path}."
        for key in value:
            if key not in allowed:
                remedy = f"the keys are {', '.join(allowed)}"
                self.add("unknown_key", f"{at}{key[:80]}", None, "is not a key here", remedy)
            elif value[key] is None:
                remedy = "it is required" if key in required else "leave out what is not known"
                self.add("wrong_type", f"{at}{key}", "null", "is not a value", remedy)
        for key in required:
            if key not in value:
                self.add("missing_key", f"{at}{key}", None, "is required", "send it")
        return {key: item for key, item in value.items() if key in allowed and item is not None}

    def near(self, name: str) -> tuple[str, str]:
        """What is wrong with a name among the measurements, and what to do."""
        quantity = self.words.quantities.get(name) or self.words.by_column.get(name)
        if quantity is not None and quantity.level == "visit":
            return "is the name of a column", f'send it as "{quantity.name}", with its unit'
        known = name if quantity is None else quantity.name
        if known in VISIT_KEYS:
            return "is not a measurement", f'send it as "{known}" of the visit'
        if known in RECORD_KEYS or known in self.words.categories:
            return "is not a measurement", f'send it as "{known}" of the record'
        return "is not in the vocabulary", "GET /v1/vocabulary lists the names"


_NOT_TEXT = ("wrong_type", "is not a text")
