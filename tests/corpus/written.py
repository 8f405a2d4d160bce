"""Tables of the corpus as files: CSV as it stands, or Parquet of typed columns."""

from __future__ import annotations

import base64
import csv
import gzip
import io
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpus.cases import Case


def written(case: Case, folder: Path, form: str) -> Path:
    """The table of a case, in its own form or, where that is CSV, as Parquet of texts.

    Args:
        case: with ``csv`` (and ``file``, ``gzip`` or ``encoding``, where it is no plain file), or ``columns``.
        folder: where it is put; the name is that of the case, or t.
        form: ``csv`` or ``parquet``.
    """
    given = case.given
    if "columns" in given:
        columns = {name: _array(**column) for name, column in given["columns"].items()}
        pq.write_table(pa.table(columns), path := folder / "t.parquet", **given.get("writer", {}))
        return path
    if form == "parquet":
        pq.write_table(pa.table(_texts(given["csv"])), path := folder / "t.parquet")
        return path
    data = given["csv"].encode(given.get("encoding", "utf-8"))
    path = folder / given.get("file", "t.csv")
    path.write_bytes(gzip.compress(data, mtime=0) if given.get("gzip") else data)
    return path


def mapping_of(case: Case, folder: Path) -> Path | None:
    """The mapping of a case as a file, if it has one."""
    if "mapping" not in case.given:
        return None
    path = folder / "mapping.toml"
    path.write_text(case.given["mapping"], "utf-8")
    return path


def _texts(text: str) -> dict[str, pa.Array]:
    header, *rows = [row for row in csv.reader(io.StringIO(text)) if row]
    cells = [[cell or None for cell in row] for row in rows]
    return {name: pa.array([row[at] for row in cells], pa.string()) for at, name in enumerate(header)}


def _array(type: str, cells: list[Any]) -> pa.Array:
    kind = type_of(type)
    if kind == pa.string_view() or pa.types.is_dictionary(kind):
        return pa.array(cells, pa.string()).cast(kind)
    return pa.array([_cell(cell, kind) for cell in cells], kind)


def type_of(name: str) -> pa.DataType:
    """A type by its name, as Arrow prints it.

    >>> type_of("timestamp[us, Europe/Berlin]")
    TimestampType(timestamp[us, tz=Europe/Berlin])
    """
    outer, _, inner = name.rstrip("])>").replace("(", "[").replace("<", "[").partition("[")
    parts = [part.strip() for part in inner.split(",")] if inner else []
    makers: Mapping[str, Any] = {
        "timestamp": lambda unit, zone=None: pa.timestamp(unit, zone),
        "decimal128": lambda digits, scale: pa.decimal128(int(digits), int(scale)),
        "list": lambda each: pa.list_(type_of(each)),
        "dictionary": lambda each: pa.dictionary(pa.int32(), type_of(each)),
        "string_view": pa.string_view,
        "large_string": pa.large_string,
    }
    return makers[outer](*parts) if outer in makers else pa.type_for_alias(outer)


READERS: list[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]]] = [
    (pa.types.is_timestamp, datetime.fromisoformat),
    (pa.types.is_date, date.fromisoformat),
    (pa.types.is_decimal, Decimal),
    (pa.types.is_binary, base64.b64decode),
    (pa.types.is_floating, float),
]


def _cell(cell: Any, kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return [_cell(each, kind.value_type) for each in cell]
    read = next((read for is_of, read in READERS if is_of(kind)), None)
    return cell if cell is None or read is None else read(cell)
