"""Parquet: a file, or a folder of files that may be partitioned as Hive does it (``site=north/part-0.parquet``).

A column may stand in the folders' names and in the files too, as polars writes it: then both must say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.headers import Headers
from features.instants import ARROW_NOTE
from features.mapping import ColumnMapping
from features.table_file import A_PIPE, CSV, PARQUET, RECORDS, has_ending, is_pipe, misnamed
from scoring.fault import InputFault
from scoring.sources.piece import Piece
from scoring.sources.plain import day_headers, days, identifier_type, identifiers, plain_type
from scoring.sources.text_file import reading
from scoring.sources.wanted import Wanted, wanted

BATCH_ROWS = 32_768  # that are read at a time
BUFFER_BYTES = 2**18
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, eq=False)
class Part:
    """A file of a table.

    Attributes:
        path: of the file.
        folders: what the folders on its way say, texts by header.
        own: the columns that the file itself has, as it has them.
        zone_unknown: headers of instants of which the file does not say in which zone they were written.
        rows: how many.
    """

    path: Path
    folders: dict[str, str | None]
    own: pa.Schema
    zone_unknown: frozenset[str]
    rows: int

    @property
    def headers(self) -> list[str]:
        """Of the file, then those that only its folders name."""
        return [*self.own.names, *(name for name in self.folders if name not in self.own.names)]

    def type_of(self, header: str) -> pa.DataType:
        """The type of a column; of one that the folders name, text."""
        return pa.string() if header in self.folders else self.own.field(header).type


@dataclass(frozen=True, eq=False)
class ParquetFiles:
    """The files of a table, and the types that their used columns are read as."""

    root: Path
    parts: tuple[Part, ...]
    wanted: Wanted
    days: frozenset[str]  # headers of columns of days
    schema: pa.Schema
    total: int  # rows

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, by name."""
        return tuple(part.path for part in self.parts)

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
        for part in self.parts:
            for batch in _batches(part.path, [name for name in schema.names if name in part.own.names]):
                with reading(part.path):
                    table = self._plain(batch, part, schema, row)
                rows = np.arange(row + 1, row + table.num_rows + 1, dtype=np.int64)
                row += table.num_rows
                yield Piece(rows, table, (), row / self.total)

    def _plain(self, batch: pa.Table, part: Part, schema: pa.Schema, before: int) -> pa.Table:
        """The columns of a batch in plain types; of those that its folders name, what these say."""
        columns = {name: batch[name] for name in part.own.names if name in schema.names}
        for name in set(part.folders) & set(schema.names):
            said = part.folders[name]
            _require_said(columns.get(name), said, name, part.path)
            columns[name] = pa.chunked_array([pa.array([said] * batch.num_rows, pa.string())])
        try:
            for name, column in columns.items():
                if name == self.wanted.patient_header:
                    columns[name] = identifiers(column, schema.field(name).type, name, before)
                elif name in self.days and pa.types.is_timestamp(column.type):
                    columns[name] = days(column, name, zone_unknown=name in part.zone_unknown, before=before)
        except InputFault as error:
            raise InputFault(f"{self.root}: {error}") from error
        return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def open_parquet(root: Path, mapping: ColumnMapping) -> ParquetFiles:
    """Open a Parquet file or a folder of them.

    Raises:
        InputFault: there is none, one cannot be read, their columns differ, or hold what no cell is.
    """
    parts = [_part(root, path) for path in (_files(root) if root.is_dir() else [root])]
    _require_alike(parts)
    chosen = wanted(root, parts[0].headers, mapping)
    dated = day_headers(mapping)
    try:
        patients = [part.type_of(chosen.patient_header) for part in parts if chosen.patient_header is not None]
        whose = identifier_type(chosen.patient_header or "", patients)
        picked = [_picked(part, chosen, dated, whose) for part in parts]
        schema = pa.unify_schemas(picked, promote_options="permissive")
    except InputFault as error:
        raise InputFault(f"{root}: {error}") from error
    except pa.ArrowException as error:
        raise InputFault(f"{root}: its files have a column in types that do not go together: {error}") from error
    return ParquetFiles(root, tuple(parts), chosen, dated, schema, sum(part.rows for part in parts))


def _part(root: Path, path: Path) -> Part:
    with reading(path), pq.ParquetFile(path) as file:
        own, rows = file.schema_arrow, file.metadata.num_rows
        noted = ARROW_NOTE.encode() in (file.metadata.metadata or {})
        columns = [file.schema.column(at) for at in range(len(file.schema))]
    physical = {column.path: column.physical_type for column in columns}
    unknown = [
        field.name
        for field in own
        if pa.types.is_timestamp(field.type)
        and not noted
        and (field.type.tz is not None or physical.get(field.name) == "INT96")
    ]
    return Part(path, dict(_folders(root, path)), own, frozenset(unknown), rows)


def _picked(part: Part, chosen: Wanted, dated: frozenset[str], whose: pa.DataType) -> pa.Schema:
    """The types that the used columns of a file are read as."""
    types = {}
    for header in chosen.headers:
        kind = part.type_of(header)
        is_day = header in dated and pa.types.is_timestamp(kind)
        own = whose if header == chosen.patient_header else pa.date32() if is_day else plain_type(header, kind)
        types[header] = own
    return pa.schema(types)


def _files(root: Path) -> list[Path]:
    """What a folder holds, but for what is hidden or begins with ``_``, as the notes of other tools do.

    Raises:
        InputFault: it holds no Parquet, or other files of rows beside it, which would be passed over.
    """
    within = sorted((path.relative_to(root) for path in root.rglob("*")), key=lambda path: path.parts)
    shown = [path for path in within if not any(part[0] in "._" for part in path.parts)]
    found = [root / path for path in shown if has_ending(path.name, PARQUET) and not (root / path).is_dir()]
    others = [path.as_posix() for path in shown if has_ending(path.name, (*CSV, *RECORDS))]
    if others:
        remedy = "a folder is read as Parquet: name the files one by one, or move them away"
        raise InputFault(f"{root}: it holds {', '.join(others[:3])}{', ...' * (len(others) > 3)}; {remedy}")
    if not found:
        raise InputFault(f"{root}: no .parquet file in this folder; name a folder of Parquet files, or a file")
    for path in found:
        wrong = A_PIPE if is_pipe(path) else misnamed(path)
        if wrong is not None:
            raise InputFault(f"{path}: {wrong}")
    return found


def _folders(root: Path, path: Path) -> tuple[tuple[str, str | None], ...]:
    """What the folders on the way to a file say: texts by header."""
    said = [part.split("=", 1) for part in path.relative_to(root).parts[:-1] if "=" in part] if root != path else []
    return tuple((unquote(key), None if value == NO_VALUE else unquote(value)) for key, value in said)


def _require_said(column: pa.ChunkedArray | None, said: str | None, header: str, path: Path) -> None:
    """Refuse a file whose column is not what its folder's name says."""
    if column is None:
        return
    kind = plain_type(header, column.type)
    try:
        same = pc.is_null(column) if said is None else pc.equal(column.cast(kind), pa.scalar(said).cast(kind))
    except pa.ArrowInvalid:  # the text is no value of the column
        same = pa.array([False])
    if not pc.all(pc.fill_null(same, False), min_count=0).as_py():
        raise InputFault(
            f"{path}: {header} in the file is not what its folder's name says; keep the one that is right"
        )


def _require_alike(parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts:
        differing = sorted(set(part.headers) ^ set(first.headers))
        if differing:
            names = ", ".join(differing[:10])
            raise InputFault(f"{part.path}: its columns are not those of {first.path} ({names}); score them apart")


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
