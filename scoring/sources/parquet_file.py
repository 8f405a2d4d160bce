"""Parquet: a file, or a folder of files that may be partitioned as Hive does it (``site=north/part-0.parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.headers import Headers
from features.mapping import ColumnMapping
from scoring.fault import InputFault
from scoring.sources.piece import Piece
from scoring.sources.text_file import reading
from scoring.sources.wanted import Wanted, wanted

BATCH_ROWS = 32_768  # that are read at a time
BUFFER_BYTES = 2**18
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, eq=False)
class ParquetFiles:
    """The files of a table, each with what its folders say, and the types of the used columns in all of them."""

    root: Path
    parts: tuple[tuple[Path, tuple[tuple[str, str | None], ...]], ...]
    wanted: Wanted
    schema: pa.Schema
    total: int  # rows

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, by name."""
        return tuple(path for path, _ in self.parts)

    @property
    def patient_type(self) -> pa.DataType:
        """As the files have it; text where they have none."""
        header = self.wanted.patient_header
        return pa.string() if header is None else self.schema.field(header).type

    @property
    def patient_header(self) -> str | None:
        """The header of the patients' identifiers, if there is one."""
        return self.wanted.patient_header

    @property
    def every_header(self) -> Headers:
        """What becomes of the headers."""
        return self.wanted.every

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        """The rows of the used columns, or of one.

        Raises:
            InputFault: a file or one of its row groups cannot be read.
        """
        schema = self.schema if only is None else pa.schema([self.schema.field(only)])
        row = 0
        for path, folders in self.parts:
            for batch in _batches(path, [name for name in schema.names if name not in dict(folders)]):
                with reading(path):
                    table = _as_told(batch, dict(folders), schema)
                rows = np.arange(row + 1, row + table.num_rows + 1, dtype=np.int64)
                row += table.num_rows
                yield Piece(rows, table, (), row / self.total)


def open_parquet(root: Path, mapping: ColumnMapping) -> ParquetFiles:
    """Open a Parquet file or a folder of them.

    Raises:
        InputFault: there is none, one cannot be read, or their columns differ.
    """
    paths = _files(root) if root.is_dir() else [root]
    if not paths:
        raise InputFault(f"{root}: no .parquet file in this folder")
    parts = tuple((path, _folders(root, path)) for path in paths)
    schemas, total = [], 0
    for path, folders in parts:
        with reading(path), pq.ParquetFile(path) as file:
            schemas.append(_plain(file.schema_arrow, folders, path))
            total += file.metadata.num_rows
    _require_alike(paths, schemas)
    chosen = wanted(root, schemas[0].names, mapping)
    picked = [pa.schema([schema.field(name) for name in chosen.headers]) for schema in schemas]
    try:
        schema = pa.unify_schemas(picked, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputFault(f"{root}: its files have a column in types that do not go together: {error}") from error
    _require_patient_type(root, schema, chosen)
    return ParquetFiles(root, parts, chosen, schema, total)


def _files(root: Path) -> list[Path]:
    """What a folder holds, but for what is hidden or begins with ``_``, as the notes of other tools do."""
    found = sorted(root.rglob("*.parquet"), key=lambda path: path.relative_to(root).parts)
    return [path for path in found if not any(part[0] in "._" for part in path.relative_to(root).parts)]


def _folders(root: Path, path: Path) -> tuple[tuple[str, str | None], ...]:
    """What the folders on the way to a file say: texts by header."""
    said = [part.split("=", 1) for part in path.relative_to(root).parts[:-1] if "=" in part] if root != path else []
    return tuple((unquote(key), None if value == NO_VALUE else unquote(value)) for key, value in said)


def _plain(schema: pa.Schema, folders: Sequence[tuple[str, str | None]], path: Path) -> pa.Schema:
    """The columns of a file and of its folders, categories as what they stand for."""
    both = sorted({key for key, _ in folders} & set(schema.names))
    if both:
        raise InputFault(f"{path}: {', '.join(both)} stands in its folder's name and in the file; keep one")
    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in schema
    ]
    return pa.schema([*fields, *(pa.field(key, pa.string()) for key, _ in folders)])


def _require_alike(paths: Sequence[Path], schemas: Sequence[pa.Schema]) -> None:
    for path, schema in zip(paths, schemas, strict=True):
        differing = sorted(set(schema.names) ^ set(schemas[0].names))
        if differing:
            names = ", ".join(differing[:10])
            raise InputFault(f"{path}: its columns are not those of {paths[0]} ({names}); score them apart")


def _require_patient_type(root: Path, schema: pa.Schema, chosen: Wanted) -> None:
    if chosen.patient_header is None:
        return
    kind, types = schema.field(chosen.patient_header).type, pa.types
    allowed = (types.is_string, types.is_large_string, types.is_integer, types.is_float64, types.is_null)
    if not any(is_type(kind) for is_type in allowed):
        raise InputFault(f"{root}: {chosen.patient_header} is of the type {kind}; make it a text or a whole number")


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """A row group at a time, so that a fault names it; without reading ahead, which would hold the whole file."""
    with reading(path), _streamed(path) as file:
        for group in range(file.num_row_groups):
            place = f"row group {group} of {file.num_row_groups}"
            batches = file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns))
            while True:
                with reading(path, place):
                    batch = next(batches, None)
                if batch is None:
                    break
                yield pa.Table.from_batches([batch])


def _streamed(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True)


def _as_told(table: pa.Table, folders: dict[str, str | None], schema: pa.Schema) -> pa.Table:
    columns = [
        pa.array([folders[name]] * table.num_rows, pa.string())
        if name in folders
        else table[name].cast(schema.field(name).type)
        for name in schema.names
    ]
    return pa.table(columns, schema=schema)
