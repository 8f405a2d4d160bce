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

    [constants]                                  # how all values of a quantity were measured
    treg_gate = "cd25_cd127low"
    treg_denominator = "cd4"

``ignore = ["CRP_repeat"]`` above the table names headers that are left out on purpose, though like a column.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.derive import SCALE_MAXIMUM, Scale
from features.near_match import near_columns
from features.one_header import conflicts
from features.repeated import Repeated
from features.table import absent, known_columns, number
from features.units import accepted_unit, meant_unit
from features.vocabulary import vocabulary

Cells = Collection[object]
BOOLEANS = ("false", "true")
_WHOLE = re.compile(r"(?<=[0-9])\.0+$")  # as programs write whole numbers where cells are missing
PROVENANCE = "provenance"
IGNORE = "ignore"
KNOWN = ("name", PROVENANCE, "scale", IGNORE, "columns", "constants")
A_TEXT, TEXTS, TEXT_BY_TEXT = "a text", "a list of texts", "a table of texts"
KEYS = {"header": A_TEXT, "unit": A_TEXT, "values": TEXT_BY_TEXT, "flags": TEXT_BY_TEXT, "sum": TEXTS}
BESIDE = {"header": ("unit", "values"), "flags": (), "sum": ("unit",)}  # what each way allows beside it


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
    """The columns of a file in the words of the vocabulary; without sources, they go by their own names."""

    name: str = ""
    provenance: str = ""
    scale: Scale | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)  # qualifier -> its value on every row
    ignored: frozenset[str] = frozenset()  # headers that are left out on purpose

    @property
    def used(self) -> set[str]:
        """Every header that is read where the file has it.

        >>> sorted(ColumnMapping(sources={"nlr": Source(("NLR",))}).used)
        ['NLR']
        >>> "nlr" in ColumnMapping().used, "nlr" in ColumnMapping(ignored=frozenset({"nlr"})).used
        (True, False)
        """
        if self.sources:
            return {header for source in self.sources.values() for header in source.headers}
        return set(known_columns()) - self.ignored

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column that is not in its canonical one."""
        return {column: source.unit for column, source in self.sources.items() if source.unit is not None}

    def header_of(self, column: str) -> str | None:
        """Which header of the file holds a column that is taken as it is; None if the mapping leaves it out.

        >>> ColumnMapping(sources={"patient_id": Source(("ID",))}).header_of("patient_id")
        'ID'
        """
        if not self.sources:
            return column
        return self.sources[column].headers[0] if column in self.sources else None


def read_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file.

    Raises:
        MappingError: it is not TOML, names columns, units, values or scales that the vocabulary does not have, or
            reads two things from one header.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"mapping {path}: {error}") from error
    problems = [f"unknown key {key!r}" for key in table if key not in KNOWN]
    problems += [f"{key} is not a text" for key in ("name", PROVENANCE) if not _is(A_TEXT, table.get(key, ""))]
    columns = table.get("columns", {})
    if not isinstance(columns, dict):
        problems.append("columns is not a table")
        columns = {}
    sources = {column: _source(column, spec, problems) for column, spec in columns.items()}
    constants = _constants(table.get("constants", {}), sources, problems)
    problems += conflicts(sources)
    ignored = _ignored(table.get(IGNORE, []), sources, problems)
    scale = table.get("scale")
    if scale is not None and scale not in list(SCALE_MAXIMUM):
        problems.append(f"scale {scale!r} is not one of {', '.join(SCALE_MAXIMUM)}")
    if problems:
        raise MappingError(f"mapping {path}: " + "; ".join(problems))
    return ColumnMapping(table.get("name", ""), table.get(PROVENANCE, ""), scale, sources, constants, ignored)


def apply_mapping(
    mapping: ColumnMapping, columns: Mapping[str, Cells], *, refuse: bool = True
) -> tuple[dict[str, Cells], list[str]]:
    """The columns in the words of the vocabulary, and the headers of the file that it does not use.

    Without sources in the mapping, columns go by their own names. What is taken as it is, is the very column.

    Args:
        mapping: which header is what.
        columns: the cells of each header, all of one length.
        refuse: whether a cell that does not fit its column is an error; else it becomes a text that says what it
            is, so that the row is rejected when it is read.

    Raises:
        MappingError: a header that the mapping names is not in the file, or a cell does not fit its column.

    >>> sex = ColumnMapping(sources={"sex": Source(("Sex",), values={"F": "female"})})
    >>> apply_mapping(sex, {"Sex": ["F", None, "X"], "Ward": [1, 2, 3]}, refuse=False)
    ({'sex': ['female', None, 'X']}, ['Ward'])
    """
    twice = sorted(set(mapping.constants) & set(columns))
    if twice:
        raise MappingError(
            f"the mapping states {', '.join(twice)} for all rows, and the file has a column of that name; drop one"
        )
    wanted = mapping.used
    if not mapping.sources:
        kept = {header: cells for header, cells in columns.items() if header in wanted or header == PROVENANCE}
        return {**kept, **_repeated(mapping, columns)}, [header for header in columns if header not in kept]
    missing = sorted(wanted - set(columns))
    if missing:
        raise MappingError(f"the file has no column {', '.join(missing)}; it has {', '.join(columns)}")
    problems: list[str] = []
    made = {column: _column(column, source, columns, problems) for column, source in mapping.sources.items()}
    if problems and refuse:
        raise MappingError("; ".join(problems))
    if PROVENANCE in columns:  # who says that its patients are simulated is always heard
        made[PROVENANCE] = columns[PROVENANCE]
    made.update(_repeated(mapping, columns))
    return made, [header for header in columns if header not in {*wanted, PROVENANCE}]


def _repeated(mapping: ColumnMapping, columns: Mapping[str, Cells]) -> dict[str, Cells]:
    """The constants of a mapping as columns as long as those of the file."""
    if not mapping.constants or not columns:
        return {}
    count = len(columns[next(iter(columns))])
    return {name: Repeated(value, count) for name, value in mapping.constants.items()}


def _constants(table: object, sources: Mapping[str, Source], problems: list[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        problems.append("constants is not a table")
        return {}
    qualifiers = vocabulary().qualifiers
    for name, value in table.items():
        if name not in qualifiers:
            rule = "says nothing of how a quantity was measured"
            problems.append(f"constant {name!r}: {rule}; constants are {', '.join(qualifiers)}")
        elif value not in list(qualifiers[name].values):
            problems.append(f"constant {name!r}: {value!r} is not one of {', '.join(qualifiers[name].values)}")
        elif name in sources:
            problems.append(f"constant {name!r}: [columns] reads it too; drop one")
    return {str(name): str(value) for name, value in table.items()}


def _source(column: str, spec: object, problems: list[str]) -> Source:
    if column not in known_columns():
        near = near_columns(column)
        hint = f"is it {' or '.join(near)}?" if near else "`tregcast vocabulary` lists it"
        problems.append(f"column {column!r} is not in the vocabulary ({hint})")
    spec = {"header": spec} if isinstance(spec, str) else spec
    wrong = _misshapen(spec)
    if wrong or not isinstance(spec, dict):
        problems.append(f"column {column!r}: {wrong}")
        return Source(())
    values, flags = spec.get("values", {}), spec.get("flags", {})
    unit = _unit(column, spec.get("unit"), problems)
    _check_values(column, [*values.values(), *flags], problems)
    headers = [spec["header"]] if "header" in spec else spec.get("sum", flags.values())
    return Source(tuple(headers), unit, values, flags, is_sum="sum" in spec)


def _ignored(names: object, sources: Mapping[str, Source], problems: list[str]) -> frozenset[str]:
    if (names and not _is(TEXTS, names)) or not isinstance(names, list):
        problems.append(f"{IGNORE} is not {TEXTS}")
        return frozenset()
    for column, source in sources.items():
        problems += [
            f"header {header!r} is read for {column} and stands in {IGNORE}; leave it out of one"
            for header in source.headers
            if header in names
        ]
    return frozenset(names)


def _misshapen(spec: object) -> str:
    """What is wrong with the shape of a source; empty if nothing is."""
    if not isinstance(spec, dict) or not spec or set(spec) - set(KEYS):
        return f"give a header, or a table of {', '.join(sorted(KEYS))}"
    ways = [way for way in BESIDE if way in spec]
    if len(ways) != 1:
        return f"give exactly one of {', '.join(BESIDE)}"
    wrong = [f"{key} is not {KEYS[key]}" for key, value in spec.items() if not _is(KEYS[key], value)]
    wrong += [f"{key} does not go with {ways[0]}" for key in spec if key not in (ways[0], *BESIDE[ways[0]])]
    return ", ".join(wrong)


def _is(kind: str, value: object) -> bool:
    """Whether a value of the TOML file is of a kind of `KEYS`, and not empty."""
    if kind == A_TEXT:
        return isinstance(value, str)
    if kind == TEXTS:
        return isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
    return isinstance(value, dict) and bool(value) and all(isinstance(part, str) for part in value.values())


def _unit(column: str, unit: str | None, problems: list[str]) -> str | None:
    quantity = vocabulary().by_column.get(column)
    if unit is None or quantity is None:
        if unit is not None:
            problems.append(f"column {column!r}: unit {unit!r} is not one of none")
        return None
    found, meant = accepted_unit(quantity, unit), meant_unit(quantity, unit)
    if found is None:
        asked = "" if meant is None else f'; is "{meant}" meant?'
        problems.append(f"column {column!r}: unit {unit!r} is not one of {', '.join(quantity.units)}{asked}")
    return found


def _check_values(column: str, values: list[str], problems: list[str]) -> None:
    words = vocabulary()
    known = words.categories.get(column) or words.qualifiers.get(column)
    allowed = () if known is None else tuple(known.values)
    for value in dict.fromkeys(values):
        if value not in allowed:
            problems.append(f"column {column!r}: value {value!r} is not one of {', '.join(allowed) or 'none'}")


def _column(column: str, source: Source, columns: Mapping[str, Cells], problems: list[str]) -> Cells:
    if source.flags:
        return _from_flags(column, source, columns, problems)
    if source.is_sum:
        return _from_sum(column, source, columns, problems)
    if not source.values:
        return columns[source.headers[0]]
    made: list[object] = []
    unknown: set[str] = set()
    for cell in columns[source.headers[0]]:
        code = None if absent(cell) else _code(cell, source.values)
        if code is not None and code not in source.values:
            unknown.add(code)
        made.append(None if code is None else source.values.get(code, code))
    if unknown:
        codes = ", ".join(sorted(unknown)[:10])
        problems.append(f"column {column!r}: no value for the codes {codes} of {source.headers[0]!r}")
    return made


def _from_flags(column: str, source: Source, columns: Mapping[str, Cells], problems: list[str]) -> list[object]:
    made: list[object] = []
    several = odd = 0
    for cells in zip(*(columns[header] for header in source.flags.values()), strict=True):
        found = {value: _flag(cell) for value, cell in zip(source.flags, cells, strict=True) if not absent(cell)}
        on = [value for value, flag in found.items() if flag == 1]
        neither = [f"{source.flags[value]} is {flag}" for value, flag in found.items() if flag not in {0, 1}]
        several += len(on) > 1
        odd += bool(neither)
        made.append("; ".join(neither) or " and ".join(on) or None)
    headers = ", ".join(source.headers)
    if several:
        problems.append(f"column {column!r}: {several} rows set more than one of {headers}")
    if odd:
        problems.append(f"column {column!r}: {odd} rows have something else than 0 or 1 in {headers}")
    return made


def _from_sum(column: str, source: Source, columns: Mapping[str, Cells], problems: list[str]) -> list[object]:
    made: list[object] = []
    odd = 0
    for cells in zip(*(columns[header] for header in source.headers), strict=True):
        parts = [number(cell) for cell in cells if not absent(cell)]
        numbers = [float(part) for part in parts if isinstance(part, (int, float)) and not isinstance(part, bool)]
        strange = [part for part in parts if isinstance(part, bool) or not isinstance(part, (int, float))]
        odd += bool(strange)
        made.append(strange[0] if strange else sum(numbers) if len(numbers) == len(cells) else None)
    if odd:
        problems.append(f"column {column!r}: {odd} rows have no number in {', '.join(source.headers)}")
    return made


def _code(cell: object, known: Collection[str]) -> str:
    """The code that a cell is, in every format: of a boolean ``true`` or ``false``, of a whole number its digits.

    A text is what it says; one that is no code, but a boolean or a whole number written in another way, is that.

    >>> _code(True, ["true"]), _code("True", ["true"]), _code(True, ["True"])
    ('true', 'true', 'True')
    >>> _code(1.0, ["1"]), _code("1.0", ["1"]), _code("01", ["1"])
    ('1', '1', '01')
    """
    if isinstance(cell, str):
        code = cell if cell in known else _WHOLE.sub("", cell)
    else:
        plain = number(cell)
        if isinstance(plain, bool):
            code = str(plain).lower()
        else:
            code = str(int(plain)) if isinstance(plain, float) and plain.is_integer() else str(plain)
    if code not in known and code.lower() in BOOLEANS:
        return next((each for each in known if each.lower() == code.lower()), code)
    return code


def _flag(cell: object) -> object:
    """A flag as a number; ``true`` and ``false`` are 1 and 0 in every format.

    >>> _flag("TRUE"), _flag(False), _flag("1.0"), _flag("maybe")
    (1, 0, 1.0, 'maybe')
    """
    text = str(cell).strip().lower()
    return BOOLEANS.index(text) if text in BOOLEANS else number(cell)
