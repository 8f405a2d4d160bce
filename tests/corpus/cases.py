"""Inputs of the kinds that were once answered in silence: what each is, where it can go, and what comes of it.

They stand in JSON files beside this module: ``records.json``, ``tables.json``, ``requests.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.vocabulary import vocabulary

HERE = Path(__file__).parent
# Cautions that hang on which patients a pack was trained on: told of a case only where it is about them.
OF_THE_PACK = frozenset({"missing_input", "never_missing_in_training", "outside_training_range"})


@dataclass(frozen=True)
class Case:
    """One input."""

    name: str
    kind: str  # the number of the fault in docs/faults.md
    routes: tuple[str, ...]
    given: Mapping[str, Any]  # the input itself, by what it is
    expected: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def cases(family: str) -> list[Case]:
    """The cases of ``records``, ``tables`` or ``requests``."""
    found = []
    for entry in json.loads((HERE / f"{family}.json").read_text("utf-8")):
        known = {key: entry.pop(key) for key in ("name", "kind", "routes", "expected")}
        found.append(Case(**{**known, "routes": tuple(known["routes"])}, given=entry))
    return found


@dataclass(frozen=True)
class Found:
    """What a route made of one input: the outcome, its codes, and the numbers to the last digit."""

    outcome: str
    codes: frozenset[str]
    numbers: tuple[float, ...] = ()
    text: str = ""  # problems and, on routes that have them, cautions in words

    def differs_from(self, other: Found) -> bool:
        """Whether two routes say different things of one input."""
        return (self.outcome, self.codes, self.numbers) != (other.outcome, other.codes, other.numbers)


def as_rows(patient: str, record: Mapping[str, Any]) -> list[dict[str, str]]:
    """The rows, one a visit, that say what a record in canonical units says."""
    same = {key: value for key, value in record.items() if isinstance(value, str)} | {"patient_id": patient}
    same |= _cells("diagnostic_delay", record.get("diagnostic_delay"))
    rows = []
    for visit in record["visits"]:
        row = same | {key: value for key, value in visit.items() if isinstance(value, str)}
        if "date" in row:
            row["visit_date"] = row.pop("date")
        row |= _cells("months_since_onset", visit.get("months_since_onset"))
        for name, measured in visit.get("measurements", {}).items():
            row |= _cells(name, measured)
        rows.append(row)
    rows[-1] |= _cells("age", record.get("age"))  # an age is that at the visit of its row
    return rows


def _cells(name: str, measured: Mapping[str, Any] | None) -> dict[str, str]:
    if measured is None:
        return {}
    column = vocabulary().quantities[name].column
    said = {f"{column}_comparator" if key == "comparator" else key: str(value) for key, value in measured.items()}
    said[column] = said.pop("value")
    del said["unit"]
    return said


def as_texts(rows: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """Columns of text, of all rows."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return {column: [row.get(column) for row in rows] for column in columns}
