"""What differs between two packs in manifest and card, and which of it a retraining may change."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("allowed_changes.toml")


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands where one of two packs has nothing."""

    def __str__(self) -> str:
        return "nothing"


ABSENT = Absent()
Flat = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """A path whose value differs, before and after."""

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class AllowedChange:
    """A pattern of paths that may change; only between two values if ``between`` says which."""

    pattern: re.Pattern[str]
    between: tuple[object, object] | None

    def allows(self, change: Change) -> bool:
        """Whether it covers a change."""
        if self.pattern.fullmatch(change.path) is None:
            return False
        return self.between is None or self.between == (change.before, change.after)


def refused_changes(before: Flat, after: Flat) -> tuple[Change, ...]:
    """The differences that no retraining may make, in order of path.

    A column that only one side has is one change (``card.features.nlr``), not one for each thing said of it.

    >>> [str(change) for change in refused_changes({"card.seed": 0, "card.outcome.unit": "points/month"},
    ...                                            {"card.seed": 1, "card.outcome.unit": "points/year"})]
    ['card.outcome.unit: points/month -> points/year']
    """
    whole = _one_sided_features(before, after)
    found = [
        Change(path, before.get(path, ABSENT), after.get(path, ABSENT))
        for path in sorted({*before, *after})
        if before.get(path, ABSENT) != after.get(path, ABSENT)
        and not path.startswith(tuple(f"{w}." for w in whole))
    ]
    found += [Change(path, ABSENT, "a column") for path in whole]
    return tuple(change for change in found if not any(each.allows(change) for each in _allowed()))


def identity(manifest: Mapping[str, object], card: Mapping[str, object]) -> Flat:
    """Manifest and card by dotted path; features by column, so that their order says nothing.

    >>> sorted(identity({"format": 2}, {"features": [{"column": "nlr", "unit": "1"}], "limits": ["a"]}))
    ['card.features.nlr.column', 'card.features.nlr.unit', 'card.limits', 'manifest.format']
    """
    features = card.get("features")
    table = dict(card)
    if isinstance(features, list):
        table["features"] = {str(each["column"]): each for each in features}
    return {**_flat("manifest", manifest), **_flat("card", table)}


def _flat(path: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    found: dict[str, object] = {}
    for key, item in value.items():
        found.update(_flat(f"{path}.{key}", item))
    return found


def _one_sided_features(before: Flat, after: Flat) -> list[str]:
    columns = [
        {path.rsplit(".", 1)[0] for path in side if path.startswith("card.features.")} for side in (before, after)
    ]
    return sorted(columns[0] ^ columns[1])


@cache
def _allowed() -> tuple[AllowedChange, ...]:
    table = tomllib.loads(FILE.read_text("utf-8"))
    return tuple(
        AllowedChange(_pattern(entry["path"]), (entry["from"], entry["to"]) if "from" in entry else None)
        for entry in table["allowed"]
    )


def _pattern(path: str) -> re.Pattern[str]:
    """``*`` is one part of a path, ``**`` any number of them, none included."""
    escaped = re.escape(path).replace(r"\.\*\*", r"(\..+)?").replace(r"\*", r"[^.]+")
    return re.compile(escaped)
