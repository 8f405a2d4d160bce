"""Random valid patients, as raw JSON records over the whole vocabulary, each from its own seed.

Some are drawn from what the pack says of its cohort (so that many are answered), some from all of the plausible
ranges, ends included.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.proof.patient_facts import CATEGORIES, FOLLOWS, QUALIFIERS, QUANTITIES, canonical, units_of

TODAY = date(2026, 1, 1)
OF_A_VISIT = [name for name, quantity in QUANTITIES.items() if quantity.get("level") != "patient"]
USUAL = {"treg_denominator": "cd4", "treg_gate": "cd25_cd127low", "treg_responder_ratio": "1:1"}
CEILINGS = (
    ("cd4_count", "lymphocytes", 1000.0),
    ("neutrophils", "leukocytes", 1.0),
    ("lymphocytes", "leukocytes", 1.0),
)


class RandomPatients:
    """Patients for the pack in a folder: number ``n`` is the same record whenever it is asked for."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        model = json.loads((folder / "model.json").read_bytes())
        cohort = json.loads((folder / "applicability.json").read_bytes())
        self.seed = seed
        self.names = [model["columns"][at] for at in cohort["positions"]]
        self.knots = cohort["knots"]
        self.root = np.linalg.cholesky(np.array(cohort["covariance"]))

    def record(self, number: int) -> dict[str, Any]:
        """One patient."""
        rng = random.Random(self.seed * 10_000_019 + number)
        typical = self._typical(rng) if rng.random() < 0.8 else {}
        months = self._months(rng, typical)
        record: dict[str, Any] = {"visits": []}
        keep = rng.random() ** 0.5
        for at, month in enumerate(months):
            visit = self._visit(rng, typical, keep, month - months[-1])
            record["visits"].append(visit)
            if at == len(months) - 1 and rng.random() < 0.93:
                _score(rng, typical, visit["measurements"])
            _drop_contradictions(visit["measurements"])
        _time(rng, record, months)
        for name, category in CATEGORIES.items():
            if name != "riluzole" and rng.random() < 0.9:
                record[name] = rng.choice(category["values"])
        for name in ("age", "diagnostic_delay"):
            if name == "age" and "birth_date" in record:
                continue
            if rng.random() < (0.97 if name == "age" else 0.9):
                record[name] = _sent(rng, name, typical.get(QUANTITIES[name]["column"]))
        delay = record.get("diagnostic_delay")
        if delay is not None and canonical("diagnostic_delay", delay) > months[-1] + 1.0:
            del record["diagnostic_delay"]  # a contradiction: nobody knew of it then
        if rng.random() < 0.2:
            record["reference"] = rng.choice(["A-1", "Ärztin 7", "患者", "x" * 128, "", "<b>&"])
        return record

    def _typical(self, rng: random.Random) -> dict[str, float]:
        z = self.root @ np.array([rng.gauss(0, 1) for _ in self.names]) * rng.uniform(0.2, 1.1)
        return {
            name: float(np.interp(score, knots["scores"], knots["values"]))
            for name, knots, score in zip(self.names, self.knots, z, strict=True)
        }

    def _months(self, rng: random.Random, typical: Mapping[str, float]) -> list[float]:
        last = typical.get("months_since_onset", rng.uniform(0, 600))
        if rng.random() < 0.02:
            last = rng.choice([0.0, 600.0, 1e-3])
        count = rng.choice([1, 1, 1, 2, 2, 3, 4, 8])
        step = rng.choice([0.4, 1.0, 3.0, 5.0, 14.0])
        months = [round(last - step * at * rng.uniform(0.8, 1.2), 3) for at in range(count)]
        return sorted({month for month in months if month >= 0} or {round(last, 3)})

    def _visit(self, rng: random.Random, typical: Mapping[str, float], keep: float, since: float) -> dict[str, Any]:
        measured: dict[str, Any] = {}
        for name in OF_A_VISIT:
            column = QUANTITIES[name]["column"]
            if rng.random() > keep * (1.0 if column in typical or not typical else 0.15):
                continue
            value = typical.get(column)
            if value is not None and since:
                value += typical.get(f"{column}_change_per_month", 0.0) * since
            measured[name] = _sent(rng, name, value)
        visit: dict[str, Any] = {"measurements": measured}
        if rng.random() < 0.3:
            visit["riluzole"] = rng.choice(CATEGORIES["riluzole"]["values"])
        return visit


def _score(rng: random.Random, typical: Mapping[str, float], measured: dict[str, Any]) -> None:
    """Most records have what the model counts in."""
    measured["alsfrs_r_total"] = _sent(rng, "alsfrs_r_total", typical.get("alsfrs_r_total"), exact=True)


def _sent(rng: random.Random, name: str, value: float | None, *, exact: bool = False) -> dict[str, Any]:
    """A measurement near a value, or anywhere in the plausible range, in any unit that is accepted."""
    quantity = QUANTITIES[name]
    low, high = quantity["plausible"]
    if value is None:
        span = rng.random()
        value = low + (high - low) * (span if rng.random() < 0.4 else span**6)
        value = rng.choice([low, high, 0.0 if low <= 0 else low]) if rng.random() < 0.1 else value
    value = min(
        max(round(value) if quantity.get("integer") else float(f"{value:.{rng.choice([3, 4, 12])}g}"), low), high
    )
    units = units_of(name)
    unit = rng.choice(list(units))
    shown = value if unit == quantity["unit"] else float(Fraction(repr(float(value))) / units[unit])
    if rng.random() < 0.7:
        shown = float(f"{shown:.6g}")
    sent: dict[str, Any] = {"value": shown, "unit": unit}
    if not low <= canonical(name, sent) <= high:
        sent = {"value": value, "unit": quantity["unit"]}
    if quantity.get("integer") and rng.random() < 0.8:
        sent["value"] = int(sent["value"])
    for key in quantity.get("qualifiers", ()):
        sent[key] = USUAL[key] if rng.random() < 0.9 else rng.choice(list(QUALIFIERS[key]["values"]))
    limited = quantity.get("level") != "patient" and not quantity.get("integer")
    if limited and not exact and rng.random() < 0.04:
        sent["comparator"] = rng.choice(["<", ">"])
    return sent


def _drop_contradictions(measured: dict[str, Any]) -> None:
    """Leave out what would contradict the rest of the visit (features/consistency.py): the whole, not its parts."""
    values = {name: canonical(name, sent) for name, sent in measured.items() if "comparator" not in sent}
    _drop_tregs(measured, values)
    for name, (parts, compute) in FOLLOWS.items():
        if name == "treg_count":
            continue
        if name in values and all(part in values for part in parts):
            value, expected = values[name], compute(values)
            points = name.startswith("alsfrs")
            fits = abs(value - expected) <= 1.0 if points else 0.75 * expected <= value <= 1.33 * expected
            if not fits:
                del measured[name], values[name]
    for name, whole, factor in CEILINGS:
        if name in values and whole in values and values[name] > values[whole] * factor * 1.33:
            del measured[whole], values[whole]


def _known_roughly(rng: random.Random, record: dict[str, Any], days: list[date]) -> None:
    """An onset to the month or the year, and a birth in place of the age, as far as they are known."""
    record["onset_date"] = record["onset_date"][: rng.choice([10, 7, 4])]
    if rng.random() < 0.5:
        born = days[-1] - timedelta(days=rng.randint(6800, 39000))
        record["birth_date"] = born.isoformat()[: rng.choice([10, 7, 4])]


def _drop_tregs(measured: dict[str, Any], values: dict[str, float]) -> None:
    """Leave out a Treg count, then a Treg share, that cannot be with the cells of the visit."""
    cells = {
        "cd4": ("cd4_count", 1.0),
        "lymphocytes": ("lymphocytes", 1000.0),
        "leukocytes": ("leukocytes", 1000.0),
    }
    known = {name: values[whole] * factor for name, (whole, factor) in cells.items() if whole in values}
    if "treg_count" in values and not _count_fits(measured, values, known):
        del measured["treg_count"], values["treg_count"]
    if "treg_pct_cd4" in values and "cd4" in known:
        whole = known.get(measured["treg_pct_cd4"]["treg_denominator"])
        if whole is not None and whole * values["treg_pct_cd4"] / 100.0 > 1.32 * known["cd4"]:
            del measured["treg_pct_cd4"], values["treg_pct_cd4"]


def _count_fits(measured: dict[str, Any], values: dict[str, float], known: dict[str, float]) -> bool:
    count, share = values["treg_count"], values.get("treg_pct_cd4")
    if count > 1.33 * known.get("cd4", math.inf):
        return False
    if share is None or measured["treg_count"]["treg_gate"] != measured["treg_pct_cd4"]["treg_gate"]:
        return True
    denominator = measured["treg_pct_cd4"]["treg_denominator"]
    if denominator == "cd4" and count > 1.33 * known.get("lymphocytes", math.inf) * share / 100.0:
        return False
    whole = known.get(denominator)
    return whole is None or 0.75 * whole * share / 100.0 <= count <= 1.33 * whole * share / 100.0


def _time(rng: random.Random, record: dict[str, Any], months: list[float]) -> None:
    """When the visits were: in months, years, days, or as dates."""
    if rng.random() < 0.3:
        onset = TODAY - timedelta(days=round(months[-1] * 30.4375) + rng.randint(2, 900))
        days = [onset + timedelta(days=round(month * 30.4375)) for month in months]
        if len(set(days)) == len(days) and months[-1] < 599:
            record["onset_date"] = onset.isoformat()
            for visit, day in zip(record["visits"], days, strict=True):
                visit["date"] = day.isoformat()
            _known_roughly(rng, record, days)
            return
    unit = rng.choice(["mo", "mo", "a", "d"])
    factor = units_of("months_since_onset")[unit]
    for visit, month in zip(record["visits"], months, strict=True):
        visit["months_since_onset"] = {"value": float(Fraction(repr(month)) / factor), "unit": unit}
    last = record["visits"][-1]["months_since_onset"]
    if canonical("months_since_onset", last) > 600:
        for visit, month in zip(record["visits"], months, strict=True):
            visit["months_since_onset"] = {"value": month, "unit": "mo"}
