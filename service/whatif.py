"""``POST /v1/whatif``: a record, and up to five quantities with values or a range each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record
from features.problem import Problem, Rejected, shown
from features.record import Measurement, PatientRecord
from features.vocabulary import Quantity, vocabulary
from model.answer import Abstention, Answer, Explain, render
from model.predictor import Predictor
from model.whatif import LABEL, Curve, Point, curve
from service.problem import problem_json
from service.schema import record_schema
from service.varied import MOST_QUANTITIES, SHAPE, parse_varied, vary_schema

KEYS = ("record", "vary")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A record and, by quantity, the values to try in its index visit, in the order in which they were sent."""

    record: PatientRecord
    vary: tuple[tuple[Quantity, tuple[Measurement, ...]], ...]


def parse_whatif(value: object, *, today: date) -> WhatIf:
    """What a JSON value asks.

    Raises:
        Rejected: with every problem of the record (its fields as in a record alone) and of what is to be varied.

    >>> asked = parse_whatif({"record": {"visits": [{"months_since_onset": {"value": 9, "unit": "mo"},
    ...     "measurements": {}}]}, "vary": {"crp": {"from": 0, "to": 0.4, "steps": 3, "unit": "mg/dL"}}},
    ...     today=date(2026, 1, 1))
    >>> [measurement.value for measurement in asked.vary[0][1]]
    [0.0, 2.0, 4.0]
    """
    if not isinstance(value, dict):
        raise Rejected([Problem("wrong_type", "body", shown(value), "is not an object", SHAPE)])
    problems = [
        Problem("unknown_key", key[:80], None, "is not a key here", f"the keys are {', '.join(KEYS)}")
        for key in value
        if key not in KEYS
    ]
    problems += [Problem("missing_key", key, None, "is required", SHAPE) for key in KEYS if value.get(key) is None]
    record = None
    if value.get("record") is not None:
        try:
            record = parse_record(value["record"], today=today)
        except Rejected as error:
            problems += error.every
    vary = _vary(value["vary"], problems) if value.get("vary") is not None else ()
    if problems or record is None:
        raise Rejected(problems)
    return WhatIf(record, vary)


def _vary(value: object, problems: list[Problem]) -> tuple[tuple[Quantity, tuple[Measurement, ...]], ...]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST_QUANTITIES:
        rule = f"is not an object of 1 to {MOST_QUANTITIES} quantities"
        problems.append(Problem("wrong_type", "vary", None, rule, SHAPE))
        return ()
    found = []
    for name, asked in value.items():
        quantity = vocabulary().quantities.get(name)
        if quantity is None or quantity.level != "visit":
            rule, remedy = "is not a measurement of the vocabulary", "GET /v1/vocabulary lists the names"
            problems.append(Problem("unknown_key", f"vary.{name[:80]}", None, rule, remedy))
            continue
        values = parse_varied(f"vary.{name}", quantity, asked, problems)
        found.append((quantity, values))
    return tuple(found)


def whatif_schema() -> dict[str, object]:
    """The JSON schema of what ``/v1/whatif`` takes, as far as a schema can say it."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(KEYS),
        "properties": {"record": record_schema(), "vary": vary_schema()},
    }


async def whatif_document(
    predictor: Predictor, asked: WhatIf, as_it_is: Answer, explain: Explain = "all"
) -> dict[str, object]:
    """The JSON object: the answer to the record as it is, and a curve a quantity; others are served meanwhile."""
    curves = []
    for quantity, values in asked.vary:
        await asyncio.sleep(0)
        curves.append(_rendered(curve(predictor, asked.record, quantity, values), predictor))
    return {"label": LABEL, "as_it_is": render(as_it_is, explain), "curves": curves}


def _rendered(found: Curve, predictor: Predictor) -> dict[str, object]:
    quantity = found.quantity
    known = any(feature.quantity == quantity.name for feature in predictor.matrix.features)
    return {
        "quantity": quantity.name,
        "label": quantity.label,
        "unit": quantity.unit,
        "direction": {1: "never slower as it rises", -1: "never faster as it rises", 0: "free"}[quantity.direction],
        "known_to_the_model": known,
        "points": [_point(point) for point in found.points],
    }


def _point(point: Point) -> dict[str, object]:
    answer = point.answer
    if isinstance(answer, tuple):
        problems = [problem_json(problem) for problem in answer]
        return {"value": point.value, "outcome": "rejected", "problems": problems}
    rendered = render(answer)
    kept = ("outcome", "reasons") if isinstance(answer, Abstention) else _SHOWN
    return {"value": point.value, **{key: rendered[key] for key in kept}}


_SHOWN = ("outcome", "progression_rate", "prediction_interval", "band_probabilities", "cautions")
