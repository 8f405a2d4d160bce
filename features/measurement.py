"""One measurement, ``{value, unit, comparator?}`` and how it was made: its shape, its unit, its plausibility."""

from __future__ import annotations

import math

from features.problem import Problem, shown
from features.record import Comparator, Measurement
from features.units import accepted_unit, amount, likely_unit, meant_unit, outside, plain, to_canonical
from features.vocabulary import UNKNOWN, Qualifier, Quantity

OF_ADULTS = "check it; the models are of adults, so for a person under 18 there is no answer"


def parse_measurement(
    path: str, quantity: Quantity, value: object, *, exact: bool = False
) -> Measurement | list[Problem]:
    """The measurement in the canonical unit, or every problem it has.

    Args:
        path: where it stands, for the problems.
        quantity: what is measured.
        value: the JSON value ``{"value": number, "unit": UCUM code, "comparator": "<" or ">" (optional)}`` and,
            where the quantity has qualifiers, those.
        exact: whether a comparator is refused (age, delay, time); that of a score always is.

    >>> from features.vocabulary import vocabulary
    >>> parse_measurement("crp", vocabulary().quantities["crp"], {"value": 8200, "unit": "mg/L"})[0].remedy
    'sent in ug/L?'
    """
    if not isinstance(value, dict):
        remedy = f'send {{"value": number, "unit": "{quantity.unit}"}}'
        remedy = "leave out what was not measured" if value is None else remedy
        return [Problem("wrong_type", path, shown(value), "is not an object with value and unit", remedy)]
    problems = [*_keys(path, quantity, value, exact=exact)]
    number = _number(path, value, problems, exact=exact or quantity.integer)
    unit = _unit(path, quantity, value, problems)
    comparator = None if exact or quantity.integer else _comparator(path, value, problems)
    qualifiers = tuple(
        (each.name, _qualifier(path, quantity, each, value, problems)) for each in quantity.qualifiers
    )
    if number is None or unit is None:
        return problems
    canonical = to_canonical(quantity, number, unit)
    problems += _plausible(path, quantity, number, unit, canonical)
    return problems or Measurement(canonical, comparator, qualifiers)


def plain_measurement(quantity: Quantity, value: object) -> Measurement | None:
    """What `parse_measurement` gives where nothing is out of the ordinary, at a tenth of its cost; else None."""
    if type(value) is not dict or len(value) != 2 + len(quantity.qualifiers):
        return None
    number: object = value.get("value")
    if not isinstance(number, (int, float)) or isinstance(number, bool) or value.get("unit") != quantity.unit:
        return None
    low, high = quantity.plausible
    if not low <= number <= high or (quantity.integer and number % 1):
        return None
    return _plainly_qualified(quantity, value, float(number)) if quantity.qualifiers else Measurement(float(number))


def _plainly_qualified(quantity: Quantity, value: dict[str, object], number: float) -> Measurement | None:
    said: list[tuple[str, str]] = []
    for qualifier in quantity.qualifiers:
        found = value.get(qualifier.name)
        if not isinstance(found, str) or found not in qualifier.values:
            return None
        said.append((qualifier.name, found))
    return Measurement(number, None, tuple(said))


def _keys(path: str, quantity: Quantity, value: dict[str, object], *, exact: bool) -> list[Problem]:
    never_beyond = exact or quantity.integer
    allowed = [
        "value",
        "unit",
        *([] if never_beyond else ["comparator"]),
        *(each.name for each in quantity.qualifiers),
    ]
    remedy = f"the keys are {', '.join(allowed)}"
    return [
        not_a_limit(f"{path}.{key}", quantity, value[key])
        if key == "comparator"
        else Problem("unknown_key", f"{path}.{key[:80]}", None, "is not a key here", remedy)
        for key in value
        if key not in allowed
    ]


def not_a_limit(field: str, quantity: Quantity, comparator: object) -> Problem:
    """The problem of a comparator where there is no limit of detection: a score, an age, a delay, a time.

    >>> from features.vocabulary import vocabulary
    >>> print(not_a_limit("alsfrs_speech.comparator", vocabulary().quantities["alsfrs_speech"], "<"))
    ... # doctest: +NORMALIZE_WHITESPACE
    alsfrs_speech.comparator = "<" stands at a score, which is counted: it has no limit of detection; send the
    number alone, or leave the measurement out
    """
    kind = "a score, which is counted" if quantity.integer else f"{quantity.label}, which is told exactly"
    rule = f"stands at {kind}: it has no limit of detection"
    remedy = "send the number alone, or leave the measurement out"
    return Problem("comparator_not_allowed", field, shown(comparator), rule, remedy)


def _number(path: str, value: dict[str, object], problems: list[Problem], *, exact: bool) -> float | None:
    if "value" not in value:
        remedy = "send a number, or leave the measurement out"
        problems.append(Problem("missing_key", f"{path}.value", None, "is required", remedy))
        return None
    number = value["value"]
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        remedy = "send a JSON number" if number is not None else "leave out what was not measured"
        if isinstance(number, str) and number.lstrip().startswith(("<", ">")) and not exact:
            remedy = f'send the number alone, and "{number.lstrip()[0]}" as the comparator'
        problems.append(Problem("wrong_type", f"{path}.value", shown(number), "is not a number", remedy))
        return None
    try:
        as_float = float(number)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        rule = "is not a finite number"
        problems.append(Problem("not_finite", f"{path}.value", shown(number), rule, "send the measured value"))
        return None
    return as_float


def _unit(path: str, quantity: Quantity, value: dict[str, object], problems: list[Problem]) -> str | None:
    choices = ", ".join(quantity.units)
    if "unit" not in value:
        remedy = f"send one of {choices}"
        problems.append(Problem("missing_unit", f"{path}.unit", None, "is required and never guessed", remedy))
        return None
    sent = value["unit"]
    unit = accepted_unit(quantity, sent)
    if unit is not None:
        return unit
    rule = f"is not a unit of {quantity.label}"
    remedy = f"send one of {choices} (UCUM codes)"
    meant = meant_unit(quantity, sent)
    remedy = remedy if meant is None else f'is "{meant}" meant? {remedy}'
    problems.append(Problem("unknown_unit", f"{path}.unit", shown(sent), rule, remedy))
    return None


def _comparator(path: str, value: dict[str, object], problems: list[Problem]) -> Comparator | None:
    comparator = value.get("comparator")
    if "comparator" not in value or comparator == "<":
        return "<" if "comparator" in value else None
    if comparator == ">":
        return ">"
    remedy = 'send "<" or ">", or leave it out'
    field = f"{path}.comparator"
    problems.append(Problem("unknown_value", field, shown(comparator), "is not a comparator", remedy))
    return None


def _qualifier(
    path: str, quantity: Quantity, qualifier: Qualifier, value: dict[str, object], problems: list[Problem]
) -> str:
    field = f"{path}.{qualifier.name}"
    remedy = qualifier_remedy(qualifier)
    if qualifier.name not in value:
        rule = f"is required: {quantity.label} means nothing without it"
        problems.append(Problem("missing_key", field, None, rule, remedy))
        return UNKNOWN
    found = value[qualifier.name]
    if not isinstance(found, str) or found not in qualifier.values:
        problems.append(Problem("unknown_value", field, shown(found), "is not one of the values", remedy))
        return UNKNOWN
    return found


def qualifier_remedy(qualifier: Qualifier) -> str:
    """What to send, in words.

    >>> from features.vocabulary import vocabulary
    >>> qualifier_remedy(vocabulary().qualifiers["treg_gate"])
    'send one of cd25_cd127low, foxp3, cd25high, or unknown where nobody can say'
    """
    known = ", ".join(value for value in qualifier.values if value != UNKNOWN)
    return f"send one of {known}, or {UNKNOWN} where nobody can say"


def _plausible(path: str, quantity: Quantity, value: float, unit: str, canonical: float) -> list[Problem]:
    sent = amount(shown(value), unit)
    if quantity.integer and not canonical.is_integer():
        return [Problem("not_whole", path, sent, "is not a whole number", "a score is a whole number of points")]
    side = outside(quantity, canonical)
    if side is None:
        return []
    low, high = quantity.plausible
    span = f"{plain(low)}{'-' if low >= 0 else ' to '}{plain(high)}"
    rule = f"is {side} {amount(span, quantity.unit)}"
    guess = likely_unit(quantity, value, unit)
    remedy = f"sent in {guess}?" if guess is not None else "check the value and its unit"
    remedy = "sent as a fraction, unit 1?" if guess == "1" else remedy
    if quantity.name == "age" and side == "below" and guess is None:
        remedy = OF_ADULTS
    return [Problem("out_of_range", path, sent, rule, remedy)]
