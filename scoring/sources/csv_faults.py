"""Where a CSV file is at fault: found in a second, slower reading, once the first has shown that it is."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import BinaryIO

from scoring.fault import InputFault
from scoring.sources.csv_header import not_utf8
from scoring.sources.text_file import opened


class WatchedFile(io.RawIOBase):
    """Bytes as they are, and whether the quotation marks among them are odd in number."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.odd_quotes = False

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self.odd_quotes ^= data.count(b'"') % 2 == 1
        return data


def text_fault(path: Path) -> InputFault:
    """The fault of a file that the parser refused: its first line that is not UTF-8, where there is one."""
    with opened(path) as (file, _):
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return not_utf8(path, number, error)
    return InputFault(f"{path}: it cannot be read as CSV; export it again")


def unclosed_quote(path: Path) -> int | None:
    """The line on which the last row begins, if a quotation mark in it is open to the end of the file.

    Such a mark swallows all rows after it. A single mark within a text, as in ``5" needle``, is none.
    """
    with opened(path) as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, "utf-8", "replace", newline=""))
        begins, last, ends = 1, [""], 0
        try:
            for row in rows:
                begins, last, ends = ends + 1, row, rows.line_num
        except csv.Error:  # a field of more than 128 KiB
            return ends + 1
    swallowed, ending = "".join(last[-1:]), b""
    with opened(path) as (file, _):
        for line in file:
            ending = line
    return begins if "\n" in swallowed and not ending.rstrip().endswith(b'"') else None
