"""How a file of other headers, units and codes becomes a table of the vocabulary: a small TOML file.

::

    name = "St. Mary's ALS clinic"
    provenance = "real: clinic patients 2019-2025, exported 2026-01-10"
    scale = "alsfrs_r_total"                     # whose points the outcome counts; or "alsfrs_total"

    [columns]                                    # vocabulary column = header of the file, or a table:
    patient_id = "ID"
    crp_mg_l = { header = "CRP", unit = "mg/dL" }
    sex = { header = "Sex", values = { F = "female", M = "male" } }
    onset_site = { flags = { bulbar = "onset_bulbar", spinal = "onset_limb" } }
    months_since_onset = { sum = ["onset_to_baseline", "month"] }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from features.derive import SCALE_MAXIMUM, Scale
from features.table import absent, known_columns, number
from features.vocabulary import vocabulary

if TYPE_CHECKING:
    import pandas as pd

PROVENANCE = "provenance"
KEYS = {"header", "unit", "values", "flags", "sum"}


class MappingError(ValueError):
    """A mapping that cannot be used, or does not fit the file; every problem is in the text."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a vocabulary column comes from: a header (perhaps with other codes), 0/1 flags, or a sum of columns."""

    headers: tuple[str, ...]
    unit: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)  # value of the category -> header
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The columns of a file in the words of the vocabulary."""

    name: str = ""
    provenance: str = ""
    scale: Scale | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column that is not in its canonical one."""
        return {column: source.unit for column, source in self.sources.items() if source.unit is not None}


def read_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file.

    Raises:
        MappingError: it is not TOML, or names columns, units, values or scales that the vocabulary does not have.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"mapping {path}: {error}") from error
    problems = [f"unknown key {key!r}" for key in table if key not in {"name", PROVENANCE, "scale", "columns"}]
    columns = table.get("columns", {})
    sources = {column: _source(column, spec, problems) for column, spec in columns.items()}
    scale = table.get("scale")
    if scale is not None and scale not in SCALE_MAXIMUM:
        problems.append(f"scale {scale!r} is not one of {sorted(SCALE_MAXIMUM)}")
    if problems:
        raise MappingError(f"mapping {path}: " + "; ".join(problems))
    return ColumnMapping(str(table.get("name", "")), str(table.get(PROVENANCE, "")), scale, sources)


def apply_mapping(mapping: ColumnMapping, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table in the words of the vocabulary, and the headers of the file that it does not use.

    Without sources in the mapping, columns are taken by their own names.

    Raises:
        MappingError: a header that the mapping names is not in the file, or a code has no value.
    """
    import pandas as pd

    if not mapping.sources:
        known = known_columns()
        kept = [column for column in frame.columns if column in known or column == PROVENANCE]
        return frame[kept], [column for column in frame.columns if column not in kept]
    wanted = {header for source in mapping.sources.values() for header in source.headers}
    missing = sorted(wanted - set(frame.columns))
    if missing:
        raise MappingError(
            f"the file has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
        )
    problems: list[str] = []
    made = {column: _column(column, source, frame, problems) for column, source in mapping.sources.items()}
    if problems:
        raise MappingError("; ".join(problems))
    return pd.DataFrame(made), [str(header) for header in frame.columns if header not in wanted]


def _source(column: str, spec: object, problems: list[str]) -> Source:
    words = vocabulary()
    if column not in known_columns():
        problems.append(f"column {column!r} is not in the vocabulary (`tregcast vocabulary` lists it)")
    if isinstance(spec, str):
        return Source((spec,))
    if not isinstance(spec, dict) or not spec or set(spec) - KEYS:
        problems.append(f"column {column!r}: give a header, or a table of {', '.join(sorted(KEYS))}")
        return Source(())
    if len({"header", "flags", "sum"} & set(spec)) != 1:
        problems.append(f"column {column!r}: give exactly one of header, flags, sum")
        return Source(())
    unit, quantity = spec.get("unit"), words.by_column.get(column)
    if unit is not None and (quantity is None or unit not in quantity.units):
        allowed = ", ".join(quantity.units) if quantity is not None else "none"
        problems.append(f"column {column!r}: unit {unit!r} is not one of {allowed}")
    values = {str(code): str(value) for code, value in spec.get("values", {}).items()}
    flags = {str(value): str(header) for value, header in spec.get("flags", {}).items()}
    allowed_values = words.categories[column].values if column in words.categories else ()
    for value in {*values.values(), *flags}:
        if value not in allowed_values:
            problems.append(
                f"column {column!r}: value {value!r} is not one of {', '.join(allowed_values) or 'none'}"
            )
    if "flags" in spec:
        return Source(tuple(flags.values()), flags=flags)
    if "sum" in spec:
        return Source(tuple(str(header) for header in spec["sum"]), unit, is_sum=True)
    return Source((str(spec["header"]),), unit, values)


def _column(column: str, source: Source, frame: pd.DataFrame, problems: list[str]) -> list[object]:
    if source.flags:
        return _from_flags(column, source, frame, problems)
    if source.is_sum:
        return list(frame[list(source.headers)].sum(axis=1, skipna=False))
    cells = list(frame[source.headers[0]])
    if not source.values:
        return cells
    unknown = sorted({_code(cell) for cell in cells if not absent(cell)} - set(source.values))
    if unknown:
        problems.append(
            f"column {column!r}: no value for the codes {', '.join(unknown[:10])} of {source.headers[0]!r}"
        )
    return [None if absent(cell) else source.values.get(_code(cell)) for cell in cells]


def _from_flags(column: str, source: Source, frame: pd.DataFrame, problems: list[str]) -> list[object]:
    made: list[object] = []
    several = 0
    for cells in zip(*(frame[header] for header in source.flags.values()), strict=True):
        on = [v for v, cell in zip(source.flags, cells, strict=True) if not absent(cell) and number(cell) == 1]
        several += len(on) > 1
        made.append(on[0] if on else None)
    if several:
        problems.append(f"column {column!r}: {several} rows set more than one of {', '.join(source.headers)}")
    return made


def _code(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
