"""What a raw JSON record says, worked out anew from the vocabulary's definitions; a part of the evaluator.

Nothing is taken from the product but ``features/vocabulary.toml``, read as data.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

VOCABULARY = Path(__file__).parents[2] / "features" / "vocabulary.toml"
DAYS_A_MONTH = Fraction(36525, 1200)
SCALE_TOP = {"alsfrs_r_total": 48.0, "alsfrs_total": 40.0}
SETTLED = 8  # months^2, docs/decisions/0015-changes-over-short-spans.md
SHARED_ITEMS = [
    "speech",
    "salivation",
    "swallowing",
    "handwriting",
    "cutting",
    "dressing",
    "turning",
    "walking",
    "stairs",
]
R_ITEMS = tuple(f"alsfrs_{item}" for item in (*SHARED_ITEMS, "dyspnea", "orthopnea", "ventilation"))
OLD_ITEMS = tuple(f"alsfrs_{item}" for item in (*SHARED_ITEMS, "breathing"))

Values = Mapping[str, float]

# What follows exactly from other measurements of one visit: features/consistency.py says so in words.
FOLLOWS: dict[str, tuple[tuple[str, ...], Callable[[Values], float]]] = {
    "treg_count": (("cd4_count", "treg_pct_cd4"), lambda v: v["cd4_count"] * v["treg_pct_cd4"] / 100.0),
    "nlr": (
        ("neutrophils", "lymphocytes"),
        lambda v: v["neutrophils"] / v["lymphocytes"] if v["lymphocytes"] > 0 else math.inf,
    ),
    "bmi": (("weight", "height"), lambda v: v["weight"] / ((v["height"] / 100.0) * (v["height"] / 100.0))),
    "alsfrs_r_total": (R_ITEMS, lambda v: math.fsum(v[item] for item in R_ITEMS)),
    "alsfrs_total": (OLD_ITEMS, lambda v: math.fsum(v[item] for item in OLD_ITEMS)),
}


def read_words() -> dict[str, Any]:
    """The vocabulary as it stands in its file, quantities and categories by name."""
    table = tomllib.loads(VOCABULARY.read_text("utf-8"))
    found = {kind: {row["name"]: row for row in table[kind]} for kind in ("quantity", "category")}
    return {**found, "qualifiers": table["qualifiers"]}


WORDS = read_words()
QUANTITIES: dict[str, dict[str, Any]] = WORDS["quantity"]
CATEGORIES: dict[str, dict[str, Any]] = WORDS["category"]
QUALIFIERS: dict[str, dict[str, Any]] = WORDS["qualifiers"]


@dataclass(frozen=True)
class Reading:
    value: float  # in the canonical unit
    comparator: str | None


@dataclass
class Facts:
    """What is known of a patient at the index visit."""

    columns: dict[str, float] = field(default_factory=dict)
    age_of: dict[str, float] = field(default_factory=dict)  # quantity -> months since it was last known
    last: dict[str, Reading] = field(default_factory=dict)  # quantity -> last reading, sent or computed
    sent: set[str] = field(default_factory=set)  # quantities that stand in the record
    usable: set[str] = field(default_factory=set)  # of these, those with a reading on the footing of their column
    other_footing: set[str] = field(default_factory=set)  # with a reading that was measured otherwise
    readings: dict[str, list[tuple[float, float, str | None]]] = field(default_factory=dict)  # month, value, limit
    surprise: dict[str, float] = field(default_factory=dict)  # scale -> standard deviations from its course so far
    share_of_readings: dict[str, float] = field(default_factory=dict)  # quantity -> what they weigh in its change
    computed: set[str] = field(default_factory=set)  # quantities that followed from others at any visit
    said: dict[str, str] = field(default_factory=dict)  # categories, and the last word on riluzole
    delay: float | None = None  # as it was sent
    late_diagnosis: bool = False  # it ends after the index visit
    riluzole: set[str] = field(default_factory=set)  # all that was said of it
    reference: str | None = None
    onset_margin: float = 0.0  # months by which the onset may have been earlier or later than its middle
    age_margin: float = 0.0  # years, by the birth


@cache
def units_of(name: str) -> dict[str, Fraction]:
    """Canonical value = value * factor, exactly, for each accepted unit."""
    quantity = QUANTITIES[name]
    found = {str(quantity["unit"]): Fraction(1)}
    for code, said in quantity.get("units", {}).items():
        first, second = said["factor"] if isinstance(said, dict) else said
        found[code] = Fraction(repr(first)) / Fraction(repr(second))
    return found


def canonical(name: str, sent: Mapping[str, Any]) -> float:
    """The shortest decimal of what was sent, times the exact factor, rounded once: docs of features/units.py."""
    if sent["unit"] == QUANTITIES[name]["unit"]:
        return float(sent["value"])
    return float(Fraction(repr(float(sent["value"]))) * units_of(name)[sent["unit"]])


def facts_of(record: Mapping[str, Any], scale: str, measured_as: Mapping[str, Mapping[str, str]]) -> Facts:
    """All features of a valid record, and what cautions ask about; ``measured_as``: how values of training were."""
    facts = Facts(reference=record.get("reference"))
    visits = [(_month(record, visit), visit) for visit in record["visits"]]
    index = visits[-1][0]
    series: dict[str, list[tuple[float, Reading]]] = {}
    for month, visit in visits:
        for name, reading in _known(visit, facts, measured_as).items():
            series.setdefault(name, []).append((month, reading))
    for name, points in series.items():
        _of_quantity(name, points, index, facts)
    _of_patient(record, index, facts)
    if scale in series:
        month, last = series[scale][-1]
        if month > 0:
            facts.columns["delta_fs"] = (SCALE_TOP[scale] - last.value) / month
    return facts


def _month(record: Mapping[str, Any], visit: Mapping[str, Any]) -> float:
    if "date" not in visit:
        return canonical("months_since_onset", visit["months_since_onset"])
    first, last = _onset(record)
    return float((_day(visit["date"]) - Fraction(first + last, 2)) / DAYS_A_MONTH)


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def _days(text: str) -> tuple[int, int]:
    """The first and the last day of a year, a month or a day, by what begins after it."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return _day(text), _day(text)
    year, month = (parts[0], parts[1]) if len(parts) == 2 else (parts[0], 12)
    after = date(year + month // 12, month % 12 + 1, 1)
    return date(year, parts[1] if len(parts) == 2 else 1, 1).toordinal(), after.toordinal() - 1


def _onset(record: Mapping[str, Any]) -> tuple[int, int]:
    """From when to when it may have been: not after the first visit."""
    first, last = _days(record["onset_date"])
    return first, min(last, _day(record["visits"][0]["date"]))


def _known(
    visit: Mapping[str, Any], facts: Facts, measured_as: Mapping[str, Mapping[str, str]]
) -> dict[str, Reading]:
    """The readings of a visit on the footing of their columns, and what follows from them."""
    known: dict[str, Reading] = {}
    for name, sent in visit["measurements"].items():
        facts.sent.add(name)
        said = {key: sent[key] for key in QUANTITIES[name].get("qualifiers", ())}
        if said and said != measured_as.get(name):
            facts.other_footing.add(name)
            continue
        facts.usable.add(name)
        known[name] = Reading(canonical(name, sent), sent.get("comparator"))
    for name, (parts, compute) in FOLLOWS.items():
        if name in known or any(part not in known or known[part].comparator for part in parts):
            continue
        if name == "treg_count" and not _count_follows(measured_as):
            continue
        value = compute({part: known[part].value for part in parts})
        low, high = QUANTITIES[name]["plausible"]
        if low <= value <= high:
            known[name] = Reading(value, None)
            facts.computed.add(name)
    return known


def _count_follows(measured_as: Mapping[str, Mapping[str, str]]) -> bool:
    """A count of the gate that training had, from a share of CD4+ cells by that gate."""
    share = measured_as["treg_pct_cd4"]
    return share["treg_denominator"] == "cd4" and measured_as.get("treg_count") == {"treg_gate": share["treg_gate"]}


def _of_quantity(name: str, points: list[tuple[float, Reading]], index: float, facts: Facts) -> None:
    column = QUANTITIES[name]["column"]
    month, last = points[-1]
    facts.last[name] = last
    facts.age_of[name] = index - month
    facts.columns[column] = last.value
    facts.columns[f"{column}_months_since_drawn"] = index - month
    exact = [(month, reading.value) for month, reading in points if reading.comparator is None]
    facts.readings[name] = [(month, reading.value, reading.comparator) for month, reading in points]
    if len(exact) >= 2:
        slope, spread = _slope(exact)
        facts.share_of_readings[name] = float(spread / (spread + SETTLED))
        month, value = (Fraction(number) for number in exact[-1])
        so_far = (value - Fraction(SCALE_TOP[name])) / month if name in SCALE_TOP and month > 0 else 0
        if name in SCALE_TOP:
            noise = 1.05**2 * float(1 / spread + Fraction(1) / SETTLED)
            facts.surprise[name] = float(slope - so_far) / noise**0.5
        change = (slope * spread + SETTLED * so_far) / (spread + SETTLED)
        facts.columns[f"{column}_change_per_month"] = float(change)


def _slope(points: list[tuple[float, float]]) -> tuple[Fraction, Fraction]:
    """Least squares in whole numbers, 0 below 1e-12 of the values; the sum of squares of times about their mean."""
    (x, per_x), (y, per_y) = (_whole([point[at] for point in points]) for at in (0, 1))
    apart = [len(x) * a - sum(x) for a in x]
    squares = sum(a * a for a in apart)
    spread = Fraction(squares, (len(x) * per_x) ** 2)
    across = sum(a * b for a, b in zip(apart, y, strict=True))
    if abs(across) * 10**12 <= sum(abs(a * b) for a, b in zip(apart, y, strict=True)):
        return Fraction(0), spread
    return Fraction(across * len(x) * per_x, squares * per_y), spread


def _whole(numbers: list[float]) -> tuple[list[int], int]:
    """Floats as whole numbers of one fraction, and how many of it make 1."""
    ratios = [number.as_integer_ratio() for number in numbers]
    finest = max(below for _, below in ratios)
    return [above * (finest // below) for above, below in ratios], finest


def _of_patient(record: Mapping[str, Any], index: float, facts: Facts) -> None:
    facts.columns["months_since_onset"] = index
    if "birth_date" in record:
        born, latest = _days(record["birth_date"])
        years = (_day(record["visits"][-1]["date"]) - Fraction(born + latest, 2)) / (12 * DAYS_A_MONTH)
        facts.columns["age_years"] = round(float(years), 6)
        facts.age_margin = float(Fraction(latest - born, 2) / (12 * DAYS_A_MONTH))
    elif "age" in record:
        facts.columns["age_years"] = round(canonical("age", record["age"]), 6)
    if "onset_date" in record and "date" in record["visits"][0]:
        began, latest = _onset(record)
        facts.onset_margin = float(Fraction(latest - began, 2) / DAYS_A_MONTH)
    if "diagnostic_delay" in record:
        facts.delay = canonical("diagnostic_delay", record["diagnostic_delay"])
        if facts.delay <= index:
            facts.columns["diagnostic_delay_months"] = facts.delay
        else:
            facts.late_diagnosis = True
    said = {name: record[name] for name in CATEGORIES if name in record}
    for visit in record["visits"]:
        if "riluzole" in visit:
            said["riluzole"] = visit["riluzole"]
            facts.riluzole.add(visit["riluzole"])
    facts.said = said
    for name, value in said.items():
        for column, one in CATEGORIES[name]["columns"].items():
            facts.columns[column] = float(value == one)
