"""Golden answers: made-up records and what the pack answered when it was made. A pack that differs does not serve.

The records are composites of single quantiles of the training cohort, column by column: no person's data is in a
pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from features.consistency import contradictions
from features.matrix import DesignMatrix
from features.measurement import parse_measurement
from features.parse import parse_record
from features.record import Measurement
from features.vocabulary import Quantity, vocabulary
from model.answer import render
from model.applicability import Applicability
from model.predictor import Predictor

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
MONTHS_BETWEEN = 4.0
WORDING = ("words", "label", "pack", "fields")


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """A record as a clinic system sends it, and the rendered answer: its numbers and codes, not its wording."""

    record: Mapping[str, object]
    answer: Mapping[str, object]


def golden_answers(predictor: Predictor) -> tuple[GoldenAnswer, ...]:
    """Made-up records that cross the cohort's range, with this predictor's answers."""
    records = golden_records(predictor.matrix, predictor.applicability)
    return tuple(GoldenAnswer(record, _answer(predictor, record)) for record in records)


def replay(predictor: Predictor, golden: Sequence[GoldenAnswer]) -> list[str]:
    """What differs between the golden answers and those that the predictor gives now; empty if nothing does."""
    if not golden:
        return ["there is none"]
    return [
        f"record {position}: {key}"
        for position, expected in enumerate(golden)
        for key in _differing(expected.answer, _answer(predictor, expected.record))
    ]


def golden_records(matrix: DesignMatrix, applicability: Applicability) -> list[dict[str, object]]:
    """One record a level: every other one with an earlier visit, each with other markers left out."""
    at = {matrix.columns[p]: k for p, k in zip(applicability.positions, applicability.knots, strict=True)}
    records: list[dict[str, object]] = []
    for number, level in enumerate(LEVELS):
        values = {column: float(np.quantile(knots.values, level)) for column, knots in at.items()}
        months = max(round(values.get("months_since_onset", 24.0), 1), 2 * MONTHS_BETWEEN)
        visits = [_visit(matrix, values, months, number)]
        if number % 2:
            earlier = {column: value * 1.02 for column, value in values.items()}
            visits.insert(0, _visit(matrix, earlier, months - MONTHS_BETWEEN, number))
        records.append({**_patient(values), "visits": visits})
    return records


def _answer(predictor: Predictor, record: Mapping[str, object]) -> dict[str, object]:
    answer = _without_wording(render(predictor.predict(parse_record(record, today=date.max))))
    assert isinstance(answer, dict)
    return answer


def _without_wording(value: object) -> object:
    """Words, and the fields they name, may be bettered without a new pack; numbers, codes and order may not."""
    if isinstance(value, dict):
        return {key: _without_wording(item) for key, item in value.items() if key not in WORDING}
    return [_without_wording(item) for item in value] if isinstance(value, list) else value


def _differing(expected: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return [key for key in sorted({*expected, *found}) if expected.get(key) != found.get(key)]


def _patient(values: Mapping[str, float]) -> dict[str, object]:
    words = vocabulary()
    patient: dict[str, object] = {}
    for name in ("sex", "onset_site", "c9orf72"):
        ones = [value for column, value in words.categories[name].columns.items() if values.get(column, 0.0) >= 0.5]
        if any(column in values for column in words.categories[name].columns):
            others = [v for v in words.categories[name].values if v not in words.categories[name].columns.values()]
            patient[name] = (ones or others)[0]
    for name in ("age", "diagnostic_delay"):
        quantity = words.quantities[name]
        if quantity.column in values:
            patient[name] = {"value": _readable(quantity, values[quantity.column]), "unit": quantity.unit}
    return patient


def _visit(matrix: DesignMatrix, values: Mapping[str, float], months: float, number: int) -> dict[str, object]:
    made: dict[str, dict[str, object]] = {}
    kept: dict[str, Measurement] = {}
    for position, quantity in enumerate(vocabulary().quantities.values()):
        if quantity.level == "patient" or quantity.column not in values:
            continue
        if quantity.name != matrix.scale and number and position % (number + 3) == 0:
            continue  # left out, as clinics do
        sent: dict[str, object] = {"value": _readable(quantity, values[quantity.column]), "unit": quantity.unit}
        sent.update(matrix.measured_as.get(quantity.name, ()))
        found = parse_measurement(quantity.name, quantity, sent)
        if isinstance(found, Measurement) and not contradictions("", {**kept, quantity.name: found}):
            kept[quantity.name], made[quantity.name] = found, sent
    return {"months_since_onset": {"value": months, "unit": "mo"}, "measurements": made}


def _readable(quantity: Quantity, value: float) -> float:
    low, high = quantity.plausible
    rounded = round(value) if quantity.integer else float(f"{value:.3g}")
    return float(min(max(rounded, low), high))
