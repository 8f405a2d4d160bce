"""The answers of a run, read back from their file piece by piece: row, rate and interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model.answer import NUMBERS
from scoring.columns import ROW
from scoring.results.tables import kind_of
from scoring.sources.text_file import opened

Floats = NDArray[np.float64]

_SCHEMA = pa.schema([(ROW, pa.int64()), *((name, pa.float64()) for name in NUMBERS[:3])])
_ROWS = 32_768  # of Parquet, at a time
_BLOCK = 4 * 2**20  # bytes of text, at a time


@dataclass(frozen=True, eq=False)
class Answers:
    """Rows of the input (n,), rates (n,) and intervals (n, 2) in points/month; NaN where there is no answer."""

    rows: NDArray[np.int64]
    rate: Floats
    interval: Floats


def answers_in(path: Path) -> Iterator[Answers]:
    """The answers in a file that a run wrote.

    Raises:
        OSError, pa.ArrowException: it cannot be read.
    """
    readers = {".parquet": _parquet, ".csv": _csv, ".ndjson": _ndjson}
    for batch in readers[kind_of(path) or ""](path):
        rate, lower, upper = (batch[name].to_numpy(zero_copy_only=False) for name in NUMBERS[:3])
        yield Answers(batch[ROW].to_numpy(), rate, np.column_stack([lower, upper]))


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(_ROWS, columns=_SCHEMA.names)


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    types = dict(zip(_SCHEMA.names, _SCHEMA.types, strict=True))
    with opened(path) as (file, _):
        yield from pacsv.open_csv(
            pa.PythonFile(file, mode="r"),
            pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pacsv.ParseOptions(newlines_in_values=True),
            pacsv.ConvertOptions(column_types=types, include_columns=_SCHEMA.names),
        )


def _ndjson(path: Path) -> Iterator[pa.RecordBatch]:
    with opened(path) as (file, _):
        yield from pajson.open_json(
            pa.PythonFile(file, mode="r"),
            pajson.ReadOptions(use_threads=False, block_size=_BLOCK),
            pajson.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"),
        )
