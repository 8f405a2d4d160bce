"""``POST /v1/whatif``: a record, and up to five quantities with values or a range each."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from features.measurement import parse_measurement
from features.parse import parse_record
from features.problem import Problem, Rejected, shown
from features.record import Measurement, PatientRecord
from features.vocabulary import Qualifier, Quantity, vocabulary
from model.answer import Abstention, Answer, render
from model.predictor import Predictor
from model.whatif import LABEL, Curve, Point, curve
from service.problem import problem_json

MOST_QUANTITIES = 5
MOST_VALUES = 50
KEYS = ("record", "vary")
VARY_KEYS = ("values", "from", "to", "steps", "unit")  # and qualifiers, where the quantity has any


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
        raise Rejected([Problem("wrong_type", "body", shown(value), "is not an object", _SHAPE)])
    problems = [
        Problem("unknown_key", key[:80], None, "is not a key here", f"the keys are {', '.join(KEYS)}")
        for key in value
        if key not in KEYS
    ]
    problems += [Problem("missing_key", key, None, "is required", _SHAPE) for key in KEYS if value.get(key) is None]
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
        problems.append(Problem("wrong_type", "vary", None, rule, _SHAPE))
        return ()
    found = []
    for name, asked in value.items():
        quantity = vocabulary().quantities.get(name)
        if quantity is None or quantity.level != "visit":
            rule, remedy = "is not a measurement of the vocabulary", "GET /v1/vocabulary lists the names"
            problems.append(Problem("unknown_key", f"vary.{name[:80]}", None, rule, remedy))
            continue
        values = _values(f"vary.{name}", quantity, asked, problems)
        found.append((quantity, values))
    return tuple(found)


def _values(path: str, quantity: Quantity, asked: object, problems: list[Problem]) -> tuple[Measurement, ...]:
    """The values of one quantity, each read as a measurement is."""
    qualifiers = [each.name for each in quantity.qualifiers]
    keys = (*VARY_KEYS, *qualifiers)
    if not isinstance(asked, dict):
        problems.append(Problem("wrong_type", path, shown(asked), "is not an object", _SHAPE))
        return ()
    unknown = [key for key in asked if key not in keys]
    problems += [
        Problem("unknown_key", f"{path}.{key[:80]}", None, "is not a key here", f"the keys are {', '.join(keys)}")
        for key in unknown
    ]
    numbers = _numbers(path, asked, problems)
    shared = {key: asked[key] for key in ("unit", *qualifiers) if key in asked}
    found: list[Measurement] = []
    for at, number in enumerate(numbers):
        measured = parse_measurement(f"{path}.values[{at}]", quantity, {"value": number, **shared})
        if isinstance(measured, Measurement):
            found.append(measured)
        else:
            problems += [problem for problem in measured if problem not in problems]
    return tuple(found)


def _numbers(path: str, asked: Mapping[str, object], problems: list[Problem]) -> Sequence[object]:
    """The values as sent, or those of the range."""
    values, ends = asked.get("values"), [asked.get(key) for key in ("from", "to", "steps")]
    if values is not None and all(end is None for end in ends):
        if isinstance(values, list) and 1 <= len(values) <= MOST_VALUES:
            return values
        rule, remedy = f"is not a list of 1 to {MOST_VALUES} numbers", "send fewer values, or at least one"
        problems.append(Problem("wrong_type", f"{path}.values", None, rule, remedy))
        return ()
    spread = _range(*ends) if values is None else None
    if spread is not None:
        return spread
    rule = "has neither values nor a range"
    remedy = f'send "values": [...], or "from", "to" above it and "steps" from 2 to {MOST_VALUES}'
    problems.append(Problem("wrong_type", path, None, rule, remedy))
    return ()


def _range(low: object, high: object, steps: object) -> list[float] | None:
    """Evenly from one end to the other; None where that is no range."""
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in (low, high, steps)):
        return None
    if not isinstance(steps, int) or not 2 <= steps <= MOST_VALUES:
        return None
    try:
        first, last = float(str(low)), float(str(high))
    except ValueError:
        return None
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        return None
    return [first + (last - first) * at / (steps - 1) for at in range(steps)]


_SHAPE = 'send {"record": {...}, "vary": {"nfl": {"from": 20, "to": 120, "steps": 11, "unit": "pg/mL"}}}'


def whatif_schema() -> dict[str, object]:
    """The JSON schema of what ``/v1/whatif`` takes, as far as a schema can say it."""
    number = {"type": "number"}
    qualifiers = {
        each.name: {"enum": list(each.values), "description": f"Required for {_needing(each)}. {each.sentence}"}
        for each in vocabulary().qualifiers.values()
    }
    varied = {
        "type": "object",
        "properties": {
            "values": {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": number},
            "from": number,
            "to": number,
            "steps": {"type": "integer", "minimum": 2, "maximum": MOST_VALUES},
            "unit": {"type": "string", "description": "UCUM code. Required, never guessed."},
            **qualifiers,
        },
        "required": ["unit"],
        "oneOf": [{"required": ["values"]}, {"required": ["from", "to", "steps"]}],
    }
    names = [name for name, quantity in vocabulary().quantities.items() if quantity.level == "visit"]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(KEYS),
        "properties": {
            "record": {"$ref": "#/components/schemas/Record"},
            "vary": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MOST_QUANTITIES,
                "propertyNames": {"enum": names},
                "additionalProperties": varied,
            },
        },
    }


def _needing(qualifier: Qualifier) -> str:
    return " and ".join(
        name for name, quantity in vocabulary().quantities.items() if qualifier in quantity.qualifiers
    )


async def whatif_document(predictor: Predictor, asked: WhatIf, as_it_is: Answer) -> dict[str, object]:
    """The JSON object: the answer to the record as it is, and a curve a quantity; others are served meanwhile."""
    curves = []
    for quantity, values in asked.vary:
        await asyncio.sleep(0)
        curves.append(_rendered(curve(predictor, asked.record, quantity, values), predictor))
    return {"label": LABEL, "as_it_is": render(as_it_is), "curves": curves}


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
