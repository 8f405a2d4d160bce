"""CSV, plain or gzip: every cell as text, and rows of another length than the header's told one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from features.headers import Headers
from features.mapping import ColumnMapping
from features.table_file import FIRST_LINES, header_below
from scoring.fault import InputFault
from scoring.sources.csv_faults import CheckedFile, text_fault
from scoring.sources.csv_header import read_header
from scoring.sources.piece import Piece, Ragged
from scoring.sources.plain import without_words
from scoring.sources.text_file import TextFile, opened
from scoring.sources.wanted import Wanted, wanted

BLOCK_BYTES = 4 * 2**20  # that are parsed at a time; a row must fit in
MOST_RAGGED = 100_000  # after each other: then it is the header that is wrong


@dataclass(frozen=True, slots=True)
class CsvFile(TextFile):
    """A ``.csv`` or ``.csv.gz`` file with its headers, of which every cell is a text."""

    headers: tuple[str, ...]
    wanted: Wanted
    block_bytes: int = BLOCK_BYTES
    most_ragged: int = MOST_RAGGED

    @property
    def patient_header(self) -> str | None:
        """The header of the patients' identifiers, if there is one."""
        return self.wanted.patient_header

    @property
    def every_header(self) -> Headers:
        """What becomes of the headers."""
        return self.wanted.every

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        """The rows of the used columns, or of one. Blank lines are no rows.

        Raises:
            InputFault: it ends in the middle, a row is longer than a block, a text is not UTF-8, no row has as many
                fields as the header; or as `features.strict_csv` has it.
        """
        used = self.wanted.headers if only is None else (only,)
        numbering = _Numbering(self.path, self.most_ragged)
        with opened(self.path) as (file, share):
            checked = CheckedFile(self.path, file)
            read_header(self.path, checked)
            try:
                for batch in self._batches(checked, used, numbering):
                    table = pa.Table.from_batches([batch]).rename_columns(list(used))
                    table = without_words(table, self.patient_header)
                    rows = numbering.next_rows(table.num_rows)
                    yield Piece(rows, table, numbering.take(), share())
            except pa.ArrowInvalid as error:
                raise numbering.stopped or checked.fault or self._fault(error) from error
            checked.finish()
        if numbering.ragged:
            yield Piece(np.empty(0, np.int64), self._nothing(used), numbering.take(rest=True), 1.0)

    def _batches(self, file: CheckedFile, used: Sequence[str], numbering: _Numbering) -> Iterator[pa.RecordBatch]:
        names = [str(position) for position in range(len(self.headers))]
        columns = [names[self.headers.index(header)] for header in used]
        try:
            reader = pacsv.open_csv(
                pa.PythonFile(file, mode="r"),
                pacsv.ReadOptions(use_threads=False, block_size=self.block_bytes, column_names=names),
                pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=numbering.ragged_row),
                pacsv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=columns,
                    null_values=[""],  # other words for nothing are identifiers in one column
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            if str(error).startswith("Empty CSV file"):  # headers and nothing else
                return
            raise
        yield from reader

    def _fault(self, error: pa.ArrowInvalid) -> BaseException:
        if " columns, got " in str(error):  # ragged rows are skipped, unless a signal comes first, which is lost
            return KeyboardInterrupt()
        if "straddling object" in str(error):
            rule = f"a row is longer than {self.block_bytes / 2**20:g} MiB"
            return InputFault(f"{self.path}: {rule}; look for a quotation mark that is not closed")
        return text_fault(self.path)

    @staticmethod
    def _nothing(used: Sequence[str]) -> pa.Table:
        return pa.table({header: pa.array([], pa.string()) for header in used})


@dataclass(slots=True)
class _Numbering:
    """Which number each good row has: the parser counts bad ones and tells them as it meets them."""

    path: Path
    most_ragged: int
    good: int = 0  # rows that were given a number
    bad: int = 0  # ragged rows that were given away
    blank: int = 0  # lines of nothing but blanks, which the parser takes for ragged rows
    ragged: list[Ragged] = field(default_factory=list)
    stopped: BaseException | None = None

    def ragged_row(self, row: pacsv.InvalidRow) -> str:
        try:
            if row.actual_columns == 1 and not row.text.strip():
                self.blank += 1
            else:
                lines = row.text.count("\n") + 1
                number = row.number - self.blank
                self.ragged.append(Ragged(number, row.actual_columns, row.expected_columns, lines))
            if self._all_ragged():
                rule = f"none of {self.most_ragged} rows after each other has so many"
                raise InputFault(
                    f"{self.path}: its header has {row.expected_columns} fields, and {rule}; export it again"
                )
        except BaseException as stopped:  # the parser would swallow it, a Ctrl-C as well
            self.stopped = stopped
            return "error"
        return "skip"

    def _all_ragged(self) -> bool:
        found, most = self.ragged, self.most_ragged
        return len(found) > most and found[-1].row - found[-1 - most].row == most

    def next_rows(self, count: int) -> NDArray[np.int64]:
        goods = np.arange(self.good, self.good + count, dtype=np.int64)
        self.good += count
        numbers = np.array([ragged.row for ragged in self.ragged], np.int64)
        goods_before = numbers - np.arange(self.bad, self.bad + len(numbers)) - 1
        return goods + 1 + self.bad + np.searchsorted(goods_before, goods, side="right")

    def take(self, *, rest: bool = False) -> tuple[Ragged, ...]:
        """Take away those that stand before the next good row, or all."""
        count = len(self.ragged)
        if not rest:
            each = enumerate(self.ragged, self.bad)
            count = next((at - self.bad for at, ragged in each if ragged.row - 1 - at > self.good), count)
        taken = tuple(self.ragged[:count])
        del self.ragged[:count]
        self.bad += count
        return taken


def require_header_first(path: Path, mapping: ColumnMapping) -> None:
    """Refuse a file in which something stands before the header.

    Raises:
        InputFault: it does.
    """
    with opened(path) as (file, _):
        lines = [line.decode("utf-8", "replace") for line in islice(file, FIRST_LINES)]
    below = header_below(lines, mapping.used)
    if below is not None:
        raise InputFault(f"{path}: {below}")


def open_csv(
    path: Path, mapping: ColumnMapping, *, block_bytes: int = BLOCK_BYTES, most_ragged: int = MOST_RAGGED
) -> CsvFile:
    """Open a CSV file.

    Args:
        path: of the file.
        mapping: of its headers.
        block_bytes: that are parsed at a time; each row must fit in.
        most_ragged: rows after each other that are given away one by one; with more, the header is at fault.

    Raises:
        InputFault: it cannot be had, is no table with commas, or its headers do not fit.
    """
    try:
        with opened(path) as (file, _):
            headers = read_header(path, CheckedFile(path, file))
        chosen = wanted(path, headers, mapping)
    except InputFault:
        require_header_first(path, mapping)
        raise
    return CsvFile(path, tuple(headers), chosen, block_bytes, most_ragged)
