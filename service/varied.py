"""What ``/v1/whatif`` is asked to vary: for each quantity values or a range, with a unit and qualifiers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from features.measurement import parse_measurement
from features.problem import Problem, shown
from features.record import Measurement
from features.vocabulary import Quantity, vocabulary

MOST_QUANTITIES = 5
MOST_VALUES = 60  # of a quantity
FEWEST_STEPS = 2
RANGE = ("from", "to", "steps")
KEYS = ("values", *RANGE, "unit")  # and the qualifiers of the quantity
SHAPE = 'send {"record": {...}, "vary": {"nfl": {"from": 20, "to": 120, "steps": 11, "unit": "pg/mL"}}}'

Json = dict[str, object]


def parse_varied(path: str, quantity: Quantity, asked: object, problems: list[Problem]) -> tuple[Measurement, ...]:
    """The values of one quantity, each read as a measurement is; what is wrong joins ``problems``, once each."""
    if not isinstance(asked, dict):
        problems.append(Problem("wrong_type", path, shown(asked), "is not an object", SHAPE))
        return ()
    shared = ("unit", *(each.name for each in quantity.qualifiers))
    keys = (*KEYS, *shared[1:])
    problems += [
        Problem("unknown_key", f"{path}.{key[:80]}", None, "is not a key here", f"the keys are {', '.join(keys)}")
        for key in asked
        if key not in keys
    ]
    numbers = _numbers(path, asked, problems)
    found: list[Measurement] = []
    wrong: list[Problem] = []
    said = {key: asked[key] for key in shared if key in asked}
    for place, number in numbers or [(path, 1.0)]:  # unit and qualifiers are judged though there is no value
        measured = parse_measurement(place, quantity, {"value": number, **said})
        if isinstance(measured, Measurement):
            found.append(measured)
        else:
            own = [replace(each, field=_shared(each.field, place, path, shared)) for each in measured]
            wrong += [each for each in own if numbers or each.field != path]
    problems += _once(path, asked, wrong)
    return tuple(found) if numbers else ()


def _shared(field: str, place: str, path: str, shared: tuple[str, ...]) -> str:
    """The field of a problem: what stands once for all values is blamed there."""
    key = field.removeprefix(f"{place}.")
    return f"{path}.{key}" if key in shared else field


def _once(path: str, asked: Mapping[str, object], wrong: list[Problem]) -> list[Problem]:
    """Each cause once: of a range its ends, and else its steps, in place of every value between."""
    between = f"{path}.steps"
    found = list(dict.fromkeys(wrong))
    ends = [each for each in found if each.field != between]
    inside = [each for each in found if each.field == between]
    if ends or not inside:
        return ends
    rule = f"makes a value between the ends that {inside[0].rule}"
    return [Problem(inside[0].code, between, shown(asked.get("steps")), rule, inside[0].remedy)]


def _numbers(path: str, asked: Mapping[str, object], problems: list[Problem]) -> list[tuple[str, object]]:
    """The values as sent, or those of the range, each with the field to blame for it; none where they are wrong."""
    has_values, has_range = "values" in asked, any(key in asked for key in RANGE)
    if has_values == has_range:
        rule = "has both values and a range" if has_values else "has neither values nor a range"
        remedy = f'send "values": [...], or "from", "to" above it and "steps" up to {MOST_VALUES}'
        problems.append(Problem("wrong_type", path, None, rule, remedy))
        return []
    return _range(path, asked, problems) if has_range else _listed(path, asked["values"], problems)


def _listed(path: str, values: object, problems: list[Problem]) -> list[tuple[str, object]]:
    field, remedy = f"{path}.values", f"send 1 to {MOST_VALUES} numbers"
    if not isinstance(values, list):
        problems.append(Problem("wrong_type", field, shown(values), "is not a list", remedy))
    elif not values:
        problems.append(Problem("wrong_type", field, None, "is empty", remedy))
    elif len(values) > MOST_VALUES:
        rule = f"holds more than {MOST_VALUES} values"
        problems.append(Problem("too_many", field, str(len(values)), rule, remedy))
    else:
        return [(f"{field}[{at}]", value) for at, value in enumerate(values)]
    return []


def _range(path: str, asked: Mapping[str, object], problems: list[Problem]) -> list[tuple[str, object]]:
    """Evenly from one end to the other."""
    wrong = list(chain.from_iterable(_end(f"{path}.{key}", asked, key) for key in ("from", "to")))
    wrong += _steps(f"{path}.steps", asked)
    if not wrong:
        first, last = float(str(asked["from"])), float(str(asked["to"]))
        if first < last:
            count = int(str(asked["steps"]))
            fields = [f"{path}.from", *[f"{path}.steps"] * (count - 2), f"{path}.to"]
            return [(field, first + (last - first) * at / (count - 1)) for at, field in enumerate(fields)]
        wrong.append(Problem("out_of_range", f"{path}.to", shown(last), "is not above from", "send a larger one"))
    problems += wrong
    return []


def _end(field: str, asked: Mapping[str, object], key: str) -> list[Problem]:
    if key not in asked:
        return [Problem("missing_key", field, None, "is required", 'send "from", "to" and "steps"')]
    value = asked[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [Problem("wrong_type", field, shown(value), "is not a number", "send a JSON number")]
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    return [] if finite else [Problem("not_finite", field, shown(value), "is not a finite number", "send a number")]


def _steps(field: str, asked: Mapping[str, object]) -> list[Problem]:
    remedy = f"send {FEWEST_STEPS} to {MOST_VALUES}"
    if "steps" not in asked:
        return [Problem("missing_key", field, None, "is required", remedy)]
    steps = asked["steps"]
    if isinstance(steps, bool) or not isinstance(steps, int):
        return [Problem("wrong_type", field, shown(steps), "is not a whole number", remedy)]
    if steps > MOST_VALUES:
        return [Problem("too_many", field, shown(steps), f"is more than {MOST_VALUES}, the most", remedy)]
    if steps < FEWEST_STEPS:
        return [Problem("out_of_range", field, shown(steps), f"is less than {FEWEST_STEPS}, the least", remedy)]
    return []


def vary_schema() -> Json:
    """The JSON schema of ``vary``; what stands under ``if`` and ``else`` is for validators, not for generators."""
    measured = {name: quantity for name, quantity in vocabulary().quantities.items() if quantity.level == "visit"}
    needed = {
        name: {"required": [each.name for each in quantity.qualifiers]}
        for name, quantity in measured.items()
        if quantity.qualifiers
    }
    return {
        "type": "object",
        "description": "By name of a measurement, the values to try at the index visit.",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": MOST_QUANTITIES,
        "properties": {name: _varied_schema() for name in measured},
        "if": {"properties": needed},
        "else": False,
    }


def _varied_schema() -> Json:
    number: Json = {"type": "number"}
    every = {each.name: each for quantity in vocabulary().quantities.values() for each in quantity.qualifiers}
    return {
        "type": "object",
        "description": "Values, or a range: from, to above it, and steps. Either, not both.",
        "additionalProperties": False,
        "properties": {
            "values": {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": number},
            "from": number,
            "to": number,
            "steps": {"type": "integer", "minimum": FEWEST_STEPS, "maximum": MOST_VALUES},
            "unit": {"type": "string", "description": "UCUM code. Required, never guessed."},
            **{
                name: {"enum": list(each.values), "description": f"Required for {', '.join(_needing(name))}."}
                for name, each in every.items()
            },
        },
        "required": ["unit"],
        "if": {
            "oneOf": [
                {"required": ["values"], "not": {"anyOf": [{"required": [key]} for key in RANGE]}},
                {"required": list(RANGE), "not": {"required": ["values"]}},
            ]
        },
        "else": False,
    }


def _needing(qualifier: str) -> list[str]:
    return [
        name
        for name, quantity in vocabulary().quantities.items()
        if qualifier in (each.name for each in quantity.qualifiers)
    ]
