"""Schemas as an OpenAPI document names them: each object once, under a short name, and references to it elsewhere.

Generators of clients make a class of each named schema. What has no name gets one made of the path to it, of up to
a hundred characters and more, and what stands beside a ``oneOf`` is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

Json = dict[str, object]
NAMES: Mapping[str, str] = {
    "quantiles": "Quantile",
    "contributions": "Contribution",
    "cautions": "Caution",
    "reasons": "Reason",
    "problems": "Problem",
    "curves": "Curve",
    "points": "CurvePoint",
    "visits": "Visit",
    "columns": "ModelColumn",
    "units": "UnitFactor",
    "quantities": "Quantity",
    "categories": "Category",
    "code": "QuantityCode",
    "scale": "ModelScale",
}
"""What an object is called after the property that holds it or a list of it; others have the property's name."""

CHOICE = ("oneOf", "anyOf", "allOf")
ANNOTATIONS = ("$schema", "$id", "title")


class Components:
    """The named schemas of a document.

    >>> components = Components({"Visit": {"type": "object", "properties": {"crp": {"type": "object",
    ...     "properties": {"value": {"type": "number"}}}}}})
    >>> components.schemas["Visit"]["properties"]
    {'crp': {'$ref': '#/components/schemas/Crp'}}
    """

    def __init__(self, roots: Mapping[str, Json]) -> None:
        """Name all that these hold; two that are the same share the name of the first.

        Raises:
            ValueError: two different ones would have one name.
        """
        self.schemas: Json = {}
        self._names = {_canonical(schema): name for name, schema in roots.items()}
        for name, schema in roots.items():
            self._put(name, schema)

    def _put(self, name: str, schema: Json) -> None:
        made = self._children(schema, name)
        choice = {key: made.pop(key) for key in CHOICE if key in made and "properties" in made}
        if choice:  # beside properties it would hide them from generators; a validator reads it here as well
            made |= {"if": choice, "else": False}
        if self.schemas.setdefault(name, made) != made:
            raise ValueError(f"two schemas would be called {name}")

    def _children(self, schema: Json, holder: str) -> Json:
        """The same, with references in place of the objects in it."""
        made: Json = {}
        for key, value in _described(schema).items():
            if key in ("properties", "if") and isinstance(value, dict):
                made[key] = value if key == "if" else self._properties(value, holder)
            elif key in CHOICE and isinstance(value, list) and "properties" not in schema:
                made[key] = [self._named(each, f"{holder}{at}") for at, each in enumerate(value, 1)]
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                made[key] = self._named(value, holder)
            else:
                made[key] = value
        return made | _type_of(made)

    def _properties(self, properties: Mapping[str, object], holder: str) -> Json:
        made: Json = {}
        for key, value in properties.items():
            assert isinstance(value, dict)
            made[key] = self._named(value, _name_of(key, holder))
        return made

    def _named(self, schema: Json, name: str) -> Json:
        """A reference, where it is an object with properties; else itself, without objects in it."""
        if not isinstance(schema.get("properties"), dict):
            return self._children(schema, name)
        known = self._names.setdefault(_canonical(schema), name)
        if known not in self.schemas and known == name:
            self._put(name, schema)
        return {"$ref": f"#/components/schemas/{known}"}


def _described(schema: Json) -> Json:
    """The same without title, of which generators would make a name; it begins the description."""
    told = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    title, description = schema.get("title"), schema.get("description")
    return told if title is None else {**told, "description": f"{title}. {description}" if description else title}


def _type_of(schema: Json) -> Json:
    """The type of an enumeration, which some generators ask for."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if "type" in schema or not isinstance(values, list) or not values:
        return {}
    kinds = {str: "string", int: "integer"}
    return next(({"type": name} for kind, name in kinds.items() if all(type(each) is kind for each in values)), {})


def _name_of(key: str, holder: str) -> str:
    """What an object in this property of a named schema is called.

    >>> _name_of("prediction_interval", "Prediction"), _name_of("crp", "Measurements"), _name_of("nfl", "Vary")
    ('PredictionInterval', 'CrpMeasurement', 'Varied')
    """
    if holder == "Vary":
        return "Varied"
    name = NAMES.get(key) or "".join(part[:1].upper() + part[1:] for part in key.split("_"))
    return f"{name}Measurement" if holder == "Measurements" else name


def _canonical(schema: Json) -> str:
    """What two schemas that say the same have in common: all but their description."""
    told = {key: value for key, value in schema.items() if key != "description"}
    return json.dumps(told, sort_keys=True)
