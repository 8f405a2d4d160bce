"""Lines of CSV as rows of text: cells as they stand there, so that ``<0.3`` and odd cells are seen by the rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from features.strict_csv import AS_UTF8, NOT_CLOSED, UTF_16_MARKS, faulty_line
from features.table_file import SEP_NOTE, is_sep_note, named_by_bytes
from scoring.columns import CODES, PATIENT, PROBLEMS, ROW
from scoring.sources.csv_header import OTHER_SEPARATORS
from scoring.sources.piece import Ragged
from scoring.sources.plain import without_words
from scoring.spark.columns import FIELDS, LINE, ROW_NUMBER
from scoring.spark.stopped import Stopped

ON_SPARK = "; on Spark a text must not hold a line break: if it does, convert the file to Parquet"


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """The headers of every file, those whose columns are read, and the one of the patients' identifiers."""

    headers: tuple[str, ...]
    used: tuple[str, ...]
    patient_header: str | None = None


def read_headers(line: bytes) -> tuple[str, ...]:
    """The headers in the first line of a file.

    Raises:
        Stopped: it is no line of headers between commas, in UTF-8.

    >>> read_headers(b"ID,CRP")
    ('ID', 'CRP')
    """
    if line.startswith(UTF_16_MARKS):
        raise Stopped(f"it is UTF-16 text; {AS_UTF8}")
    what = named_by_bytes(line)
    if what is not None:
        raise Stopped(f"its first bytes are those of {what}, not of a CSV file; name it by what it is")
    try:
        text = line.decode("utf-8-sig").rstrip("\r")
        headers = next(csv.reader(io.StringIO(text), strict=True), [])
    except UnicodeDecodeError:
        raise Stopped(f"its header is not UTF-8 text; {AS_UTF8}") from None
    except csv.Error as error:
        raise Stopped(f"its header: {error}; look for a quotation mark that is not closed") from None
    if is_sep_note(text):
        raise Stopped(SEP_NOTE)
    separator = max(OTHER_SEPARATORS, key=text.count)
    if text.count(separator) > text.count(","):
        found = OTHER_SEPARATORS[separator]
        raise Stopped(
            f"its columns are separated by {found}; save it with commas between columns and points in numbers"
        )
    return tuple(headers)


def parsed(batches: Iterable[pa.RecordBatch], layout: CsvLayout) -> Iterator[pa.RecordBatch]:
    """The lines as rows: their numbers, how many fields a ragged one has, and the used columns as text.

    Args:
        batches: numbered lines, blank ones left out; number 0 is a header.
        layout: of all files.

    Raises:
        Stopped: a file with other headers, text that is not UTF-8, a quotation mark that is not closed on its line.

    >>> lines = pa.record_batch({ROW_NUMBER: [0, 1, 2, 3], LINE: [b"id,crp", b"a,<0.3", b"b,1,2", b"NA,4"]})
    >>> [batch] = parsed([lines], CsvLayout(("id", "crp"), ("id", "crp"), "id"))
    >>> batch.to_pydict()[FIELDS], batch["id"].to_pylist(), batch["crp"].to_pylist()
    ([None, None, 3], ['a', 'NA', None], ['<0.3', '4', None])
    """
    for batch in batches:
        rows = batch[ROW_NUMBER].to_numpy()
        lines = batch[LINE].to_pylist()
        for at in np.flatnonzero(rows == 0).tolist():
            if read_headers(lines[at]) != layout.headers:
                raise Stopped("the files have different headers; give them the same, in the same order")
        data = [line for row, line in zip(rows.tolist(), lines, strict=True) if row]
        if data:
            yield _table(rows[rows > 0], data, layout)


def ragged_rejects(table: pa.Table, headers: int, schema: pa.Schema) -> pa.Table:
    """The rejects of rows that have too many or too few fields, of whose cells nothing is taken."""
    told = zip(table[ROW_NUMBER].to_pylist(), table[FIELDS].to_pylist(), strict=True)
    problems = [Ragged(row, fields, headers, 1).problem for row, fields in told]
    count = table.num_rows
    codes = pa.array([problem.code for problem in problems], pa.string())
    texts = pa.array([str(problem) for problem in problems], pa.string())
    columns = {ROW: table[ROW_NUMBER], PATIENT: pa.nulls(count, schema.field(PATIENT).type)}
    return pa.table({**columns, CODES: codes, PROBLEMS: texts}, schema)


def _table(rows: NDArray[Any], lines: list[bytes], layout: CsvLayout) -> pa.RecordBatch:
    fault = faulty_line(lines, layout.headers)
    if fault is not None:
        at, what = fault
        raise Stopped(f"row {rows[at]}{what}{ON_SPARK if NOT_CLOSED in what else ''}")
    data = b"\n".join(lines) + b"\n"
    if b"\r" in data.replace(b"\r\n", b""):
        raise Stopped(f"{_lines(rows)} hold a carriage return inside a line; end lines with a line feed")
    ragged: list[tuple[int, int]] = []

    def left_out(row: pa_csv.InvalidRow) -> str:
        ragged.append((row.number - 1, row.actual_columns))
        return "skip"

    try:
        table = pa_csv.read_csv(
            io.BytesIO(data),
            pa_csv.ReadOptions(use_threads=False, column_names=layout.headers, block_size=len(data) + 1),
            pa_csv.ParseOptions(invalid_row_handler=left_out, ignore_empty_lines=False),
            pa_csv.ConvertOptions(
                include_columns=layout.used,
                column_types=dict.fromkeys(layout.used, pa.string()),
                null_values=[""],  # other words for nothing are identifiers in one column
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:  # its text holds cells
        raise Stopped(f"{_lines(rows)} hold a line that cannot be read as CSV in UTF-8; {AS_UTF8}") from None
    kept = np.ones(len(lines), np.bool_)
    kept[[at for at, _ in ragged]] = False
    if table.num_rows != kept.sum():
        raise Stopped(f"{_lines(rows)} hold a text with a line break{ON_SPARK}")
    table = without_words(table, layout.patient_header)
    return _in_order(rows, kept, [fields for _, fields in ragged], table)


def _in_order(rows: NDArray[Any], kept: NDArray[Any], fields: list[int], table: pa.Table) -> pa.RecordBatch:
    """The rows that were read, then the ragged ones, which have no cells."""
    left = len(fields)
    columns = {
        ROW_NUMBER: np.concatenate([rows[kept], rows[~kept]]),
        FIELDS: pa.array([None] * table.num_rows + fields, pa.int32()),
        **{
            name: pa.chunked_array([*table[name].chunks, pa.nulls(left, pa.string())])
            for name in table.column_names
        },
    }
    [batch] = pa.table(columns).combine_chunks().to_batches()
    return batch


def _lines(rows: NDArray[Any]) -> str:
    return f"rows {rows[0]} to {rows[-1]}"
