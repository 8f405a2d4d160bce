"""The vocabulary: every quantity Tregcast knows, read once from ``vocabulary.toml``.

A quantity has two names. Its ``name`` (``crp``) is the key of a measurement, where the unit stands beside the
value. Its ``column`` (``crp_mg_l``) is used wherever a bare number stands: tables, design rows, contributions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Level = Literal["visit", "patient"]
Qualifiers = tuple[tuple[str, str], ...]
"""How a value was measured: (qualifier, value), in the order in which the quantity names its qualifiers."""
UNKNOWN = "unknown"  # of a qualifier: it may be said, and is cautioned


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that is accepted for a quantity: canonical value = value * ``numerator`` / ``denominator``."""

    code: str
    numerator: float
    denominator: float
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Qualifier:
    """How a measurement was made, where its value means nothing without it (gate, denominator, ratio)."""

    name: str
    label: str
    values: Mapping[str, str]  # value -> the same in words
    sentence: str

    def words(self, value: str) -> str:
        """A value as a person says it.

        >>> vocabulary().qualifiers["treg_gate"].words("foxp3")
        'gate FOXP3+'
        """
        return f"{self.label} {self.values[value]}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity, with all that is known of it apart from any patient."""

    name: str
    column: str
    label: str
    group: str
    level: Level
    unit: str
    units: Mapping[str, Unit]
    plausible: tuple[float, float]
    reference: tuple[float, float] | None
    references: tuple[tuple[Qualifiers, tuple[float, float]], ...]  # where the range depends on the qualifiers
    direction: int  # +1: a higher value goes with faster decline; -1: slower; 0: biology does not say
    direction_source: str | None
    loinc: str | None
    stale_after_months: float | None
    integer: bool
    qualifiers: tuple[Qualifier, ...]
    sentence: str

    @property
    def usual(self) -> tuple[float, float] | None:
        """The usual adult range; where it depends on how the quantity was measured, from the lowest to the highest.

        >>> vocabulary().quantities["treg_count"].usual
        (8.0, 126.3)
        """
        ranges = [found for _, found in self.references]
        return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else self.reference

    def words(self, qualifiers: Qualifiers) -> str:
        """How a value was measured, as a person says it.

        >>> vocabulary().quantities["treg_count"].words((("treg_gate", "cd25_cd127low"),))
        'gate CD25+CD127low'
        """
        said = dict(qualifiers)
        return ", ".join(each.words(said[each.name]) for each in self.qualifiers)

    @property
    def code(self) -> tuple[str, str]:
        """Code system and code: LOINC where one is verified, our own otherwise."""
        return ("http://loinc.org", self.loinc) if self.loinc else ("urn:tregcast:quantity", self.name)


@dataclass(frozen=True, slots=True)
class Category:
    """A property of the patient that takes one of a few values, and the 0/1 columns it becomes."""

    name: str
    label: str
    group: str
    values: tuple[str, ...]
    columns: Mapping[str, str]  # column -> the value for which it is 1
    sentence: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All quantities and categories, in the order of the file."""

    quantities: Mapping[str, Quantity]
    categories: Mapping[str, Category]
    groups: Mapping[str, str]
    qualifiers: Mapping[str, Qualifier]

    @property
    def by_column(self) -> Mapping[str, Quantity]:
        """Quantities keyed by their column."""
        return {quantity.column: quantity for quantity in self.quantities.values()}


@cache
def vocabulary() -> Vocabulary:
    """The one vocabulary.

    >>> vocabulary().quantities["crp"].column
    'crp_mg_l'
    >>> vocabulary().quantities["crp"].units["mg/dL"].numerator
    10.0
    """
    table = tomllib.loads(files("features").joinpath("vocabulary.toml").read_text("utf-8"))
    qualifiers = {name: _qualifier(name, row) for name, row in table["qualifiers"].items()}
    quantities = [_quantity(row, qualifiers) for row in table["quantity"]]
    categories = [_category(row) for row in table["category"]]
    return Vocabulary(
        quantities={quantity.name: quantity for quantity in quantities},
        categories={category.name: category for category in categories},
        groups=dict(table["groups"]),
        qualifiers=qualifiers,
    )


def _quantity(row: dict[str, object], qualifiers: Mapping[str, Qualifier]) -> Quantity:
    unit = str(row["unit"])
    accepted = {unit: Unit(unit, 1.0, 1.0)}
    for code, factor in _mapping(row.get("units", {})).items():
        spec = _mapping(factor) if isinstance(factor, dict) else {"factor": factor}
        numerator, denominator = _pair(spec["factor"])
        source = spec.get("source")
        accepted[code] = Unit(code, numerator, denominator, None if source is None else str(source))
    own = tuple(qualifiers[name] for name in _texts(row.get("qualifiers", [])))
    return Quantity(
        name=str(row["name"]),
        column=str(row["column"]),
        label=str(row["label"]),
        group=str(row["group"]),
        level="patient" if row.get("level") == "patient" else "visit",
        unit=unit,
        units=accepted,
        plausible=_pair(row["plausible"]),
        reference=_pair(row["reference"]) if "reference" in row else None,
        references=tuple(_reference(own, _mapping(each)) for each in _list(row.get("references", []))),
        direction=_integer(row.get("direction", 0)),
        direction_source=_text(row.get("direction_source")),
        loinc=_text(row.get("loinc")),
        stale_after_months=_number(row["stale_after_months"]) if "stale_after_months" in row else None,
        integer=row.get("integer") is True,
        qualifiers=own,
        sentence=str(row["sentence"]),
    )


def _category(row: dict[str, object]) -> Category:
    columns = {column: str(value) for column, value in _mapping(row["columns"]).items()}
    return Category(
        name=str(row["name"]),
        label=str(row["label"]),
        group=str(row["group"]),
        values=_texts(row["values"]),
        columns=columns,
        sentence=str(row["sentence"]),
    )


def _qualifier(name: str, row: Mapping[str, object]) -> Qualifier:
    values = {value: str(words) for value, words in _mapping(row["values"]).items()}
    return Qualifier(name, str(row["label"]), values, str(row["sentence"]))


def _reference(
    qualifiers: tuple[Qualifier, ...], row: Mapping[str, object]
) -> tuple[Qualifiers, tuple[float, float]]:
    return tuple((each.name, str(row[each.name])) for each in qualifiers), _pair(row["range"])


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"vocabulary.toml: expected a table, found {value!r}")
    return value


def _pair(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"vocabulary.toml: expected two numbers, found {value!r}")
    return _number(value[0]), _number(value[1])


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in _list(value))


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"vocabulary.toml: expected a list, found {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"vocabulary.toml: expected a number, found {value!r}")
    return float(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"vocabulary.toml: expected a whole number, found {value!r}")
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
