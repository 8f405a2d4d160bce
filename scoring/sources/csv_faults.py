"""Where a CSV file is at fault: seen in its bytes as they are read, or in a second, slower reading."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from features.strict_csv import CsvFault, StrictCsv
from scoring.fault import InputFault
from scoring.sources.csv_header import not_utf8
from scoring.sources.text_file import opened


class CheckedFile(io.RawIOBase):
    """Bytes as they are, from a file's first one; what no CSV file may hold is a fault of the file.

    Attributes:
        fault: that was found; none of what is read after it can be trusted.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__()
        self._path, self._file = path, file
        self._check = StrictCsv()
        self.fault: InputFault | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            InputFault: as `StrictCsv` has it.
        """
        data = self._file.read(size)
        self._checked(lambda: self._check.feed(data) if data else self._check.finish())
        return data

    def readline(self, size: int | None = -1) -> bytes:
        """The next line, or as much of it as is asked for.

        Raises:
            InputFault: as `StrictCsv` has it.
        """
        line = self._file.readline(-1 if size is None else size)
        self._checked(lambda: self._check.feed(line) if line else self._check.finish())
        return line

    def finish(self) -> None:
        """All was read.

        Raises:
            InputFault: a quotation mark is not closed.
        """
        self._checked(self._check.finish)

    def _checked(self, check: Callable[[], None]) -> None:
        try:
            check()
        except CsvFault as fault:
            self.fault = InputFault(f"{self._path}: {fault}")
            raise self.fault from fault


def text_fault(path: Path) -> InputFault:
    """The fault of a file that the parser refused: its first line that is not UTF-8, where there is one."""
    with opened(path) as (file, _):
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return not_utf8(path, number, error)
    return InputFault(f"{path}: it cannot be read as CSV; export it again")
