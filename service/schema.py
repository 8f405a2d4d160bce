"""The JSON schema (draft 2020-12) of a record, made from the vocabulary.

It says all that a schema can say. What it cannot (the order of visits, values beyond what is plausible in a unit
other than the canonical one, contradictions between measurements) the service checks, and says in its problems.
"""

from __future__ import annotations

from features.parse import LONGEST_REFERENCE, MOST_VISITS, RECORD_KEYS, VISIT_KEYS
from features.units import plain
from features.vocabulary import Category, Quantity, vocabulary

Json = dict[str, object]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
UNIT = "UCUM code. Required, never guessed. UCUM's other forms of these (l for L, 10^ for 10*) are read too."
DATE: Json = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
PARTIAL_DATE: Json = {"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"}
MIDDLE = "YYYY-MM-DD or, where the day is not known, YYYY-MM or YYYY: then the middle is used, with a caution"


def record_schema() -> Json:
    """The schema of one record, as ``/v1/schema`` serves it.

    >>> crp = record_schema()["properties"]["visits"]["items"]["properties"]["measurements"]["properties"]["crp"]
    >>> crp["required"], crp["properties"]["unit"]["enum"][:2]
    (['value', 'unit'], ['mg/L', 'mg/dL'])
    """
    properties: Json = {
        "reference": {
            "type": "string",
            "maxLength": LONGEST_REFERENCE,
            "description": "The caller's own, printable, returned with the answer. No name, no birth date.",
        },
        "onset_date": {
            **PARTIAL_DATE,
            "description": f"Date of the first symptom; needed where visits have dates. {MIDDLE} on what it does "
            "to the decline since onset. What of a month or a year is after the first visit is left out.",
        },
        "birth_date": {
            **PARTIAL_DATE,
            "description": f"From it follows the age at the index visit, where visits have dates. {MIDDLE}. With "
            "an age beside it, the two must agree to a year and a half.",
        },
        **{name: _category(item) for name, item in vocabulary().categories.items() if name not in VISIT_KEYS},
        **_exact_quantities(RECORD_KEYS),
        "visits": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_VISITS,
            "description": "In time order. The last one is the index visit, the one predicted from.",
            "items": _visit(),
        },
    }
    return {
        "$schema": DRAFT,
        "$id": "urn:tregcast:schema:record",
        "title": "A patient with a history",
        **_object(properties, "visits"),
        "oneOf": [
            {**_timed_by("months_since_onset"), "not": {"required": ["birth_date"]}},
            {**_timed_by("date"), "required": ["onset_date"]},
        ],
    }


def _visit() -> Json:
    words = vocabulary()
    measured: Json = {name: _measurement(q) for name, q in words.quantities.items() if q.level == "visit"}
    properties: Json = {
        "date": {**DATE, "description": "Not in the future. Either this or months_since_onset."},
        **_exact_quantities(VISIT_KEYS),
        **{name: _category(item) for name, item in words.categories.items() if name in VISIT_KEYS},
        "measurements": _object(measured),
    }
    return _object(properties, "measurements")


def _timed_by(key: str) -> Json:
    """That all visits have this key for their time, and not the other one."""
    other = "date" if key == "months_since_onset" else "months_since_onset"
    return {"properties": {"visits": {"items": {"required": [key], "not": {"required": [other]}}}}}


def _measurement(quantity: Quantity) -> Json:
    properties: Json = {
        "value": _value(quantity),
        "unit": {"enum": list(quantity.units), "description": UNIT},
    }
    if not quantity.integer:  # a score is counted
        properties["comparator"] = {
            "enum": ["<", ">"],
            "description": "The value is a limit; the result is below or above it.",
        }
    required = ["value", "unit"]
    for qualifier in quantity.qualifiers:
        properties[qualifier.name] = {"enum": list(qualifier.values), "description": qualifier.sentence}
        required.append(qualifier.name)
    return {"title": quantity.label, "description": _sentence(quantity), **_object(properties, *required)}


def _exact_quantities(keys: tuple[str, ...]) -> Json:
    """Those of ``keys`` that are quantities: known or not, and never beyond a limit."""
    quantities = vocabulary().quantities
    return {name: _exact(quantities[name]) for name in keys if name in quantities}


def _exact(quantity: Quantity) -> Json:
    properties: Json = {"value": _value(quantity), "unit": {"enum": list(quantity.units)}}
    return {
        "title": quantity.label,
        "description": _sentence(quantity),
        **_object(properties, "value", "unit"),
    }


def _value(quantity: Quantity) -> Json:
    """A number; its plausible range stands here only where there is one unit, which it is counted in."""
    if len(quantity.units) > 1:
        return {"type": "number"}
    low, high = quantity.plausible
    return {"type": "integer" if quantity.integer else "number", "minimum": low, "maximum": high}


def _sentence(quantity: Quantity) -> str:
    low, high = quantity.plausible
    whole = ", a whole number" if quantity.integer else ""
    return f"{quantity.sentence} Plausible: {plain(low)} to {plain(high)} {quantity.unit}{whole}."


def _category(category: Category) -> Json:
    return {"title": category.label, "description": category.sentence, "enum": list(category.values)}


def _object(properties: Json, *required: str) -> Json:
    schema: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": list(required)} if required else schema
