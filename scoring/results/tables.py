"""Tables as files: Parquet, CSV or NDJSON by ending. Every number can be read back to its last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from scoring.columns import ROW
from scoring.results.placed import written

ROW_GROUP = 65_536  # rows
BLOCK = 8_192  # rows that are turned into text at a time

Write = Callable[[pa.Table], None]


def kind_of(path: Path) -> str | None:
    """What kind of file a name asks for; None where it is none of them.

    >>> kind_of(Path("a.CSV.gz")), kind_of(Path("a.jsonl")), kind_of(Path("a.xlsx"))
    ('.csv', '.ndjson', None)
    """
    lower = path.name.lower()
    name = lower.removesuffix(".gz")
    found = next((kind for kind in (".parquet", ".csv", ".ndjson", ".jsonl") if name.endswith(kind)), None)
    if found == ".parquet" and lower.endswith(".gz"):
        return None
    return ".ndjson" if found == ".jsonl" else found


def write_table(
    target: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], said: Mapping[str, str]
) -> None:
    """Write the unfinished file of a target.

    Args:
        target: where it will be placed; `kind_of` its name is not None.
        schema: the columns.
        batches: the rows, of any number at a time; where they are cut does not show in the file.
        said: what stands in the metadata of a Parquet file.
    """
    writers = {".parquet": _parquet, ".csv": _csv, ".ndjson": _ndjson}
    kind = kind_of(target) or ""
    rows = ROW_GROUP if kind == ".parquet" else BLOCK
    with written(target) as file, writers[kind](file, schema, said) as write:
        for table in _evenly(schema, batches, rows):
            write(table)


def _evenly(schema: pa.Schema, batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of exactly so many rows, but for the last."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        rest = batch
        while held + rest.num_rows >= rows:
            waiting.append(rest.slice(0, rows - held))
            yield pa.Table.from_batches(waiting, schema).combine_chunks()
            rest, waiting, held = rest.slice(rows - held), [], 0
        if rest.num_rows:
            waiting.append(rest)
            held += rest.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting, schema).combine_chunks()


@contextmanager
def _parquet(file: BinaryIO, schema: pa.Schema, said: Mapping[str, str]) -> Iterator[Write]:
    texts = [field.name for field in schema if not pa.types.is_floating(field.type) and field.name != ROW]
    whole = schema.with_metadata(dict(said))
    # A dictionary of numbers that hardly come twice costs half of the time of writing, and saves nothing.
    with pq.ParquetWriter(file, whole, compression="zstd", compression_level=1, use_dictionary=texts) as writer:
        yield lambda table: writer.write_table(table.replace_schema_metadata(dict(said)), row_group_size=ROW_GROUP)


@contextmanager
def _csv(file: BinaryIO, schema: pa.Schema, said: Mapping[str, str]) -> Iterator[Write]:
    del said
    with pacsv.CSVWriter(file, schema) as writer:
        yield writer.write_table


@contextmanager
def _ndjson(file: BinaryIO, schema: pa.Schema, said: Mapping[str, str]) -> Iterator[Write]:
    del said
    names = schema.names

    def write(table: pa.Table) -> None:
        columns = [_values(column) for column in table.columns]
        lines = [orjson.dumps(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
        file.write(b"\n".join(lines) + b"\n")

    yield write


def _values(column: pa.ChunkedArray) -> list[object]:
    """Cells as JSON writes them; of numbers by way of NumPy, NaN for null: JSON has null for both."""
    if pa.types.is_floating(column.type):
        numbers: list[object] = column.to_numpy().tolist()
        return numbers
    cells: list[object] = column.to_pylist()
    return cells
