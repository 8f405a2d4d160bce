"""The header of a CSV file, and the faults that show there: another separator, another encoding, nothing at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

from features.strict_csv import AS_UTF8
from scoring.fault import InputFault

OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LONGEST_LINE_BYTES = 2**20


def read_header(path: Path, file: RawIOBase) -> list[str]:
    """The headers as they stand in the file, which is left at the first byte after them.

    Args:
        path: of the file.
        file: checked as it is read (`scoring.sources.csv_faults.CheckedFile`).

    Raises:
        InputFault: there is no header, it is not UTF-8, or its columns are not separated by commas.
    """
    rows = csv.reader(_lines(path, file))
    try:
        headers = next((row for row in rows if any(cell.strip() for cell in row)), None)
    except csv.Error as error:
        raise InputFault(f"{path}: line 1: {error}; look for a quotation mark that is not closed") from error
    if headers is None:
        raise InputFault(f"{path}: it is empty; export it again, with a line of headers")
    line = ",".join(headers)
    separator = max(OTHER_SEPARATORS, key=line.count)
    if line.count(separator) > line.count(","):
        raise InputFault(
            f"{path}: its columns are separated by {OTHER_SEPARATORS[separator]}; save it with commas between "
            "columns and points in numbers"
        )
    return headers


def not_utf8(path: Path, line: int, error: UnicodeDecodeError) -> InputFault:
    """The fault of a line with this number that is not UTF-8, and its byte that is not."""
    byte = error.object[error.start]  # of what was decoded: the line, less a mark of byte order
    return InputFault(f"{path}: line {line} is not UTF-8 text (byte 0x{byte:02x}); {AS_UTF8}")


def _lines(path: Path, file: RawIOBase) -> Iterator[str]:
    """One line at each call, so that no more is read than the header."""
    number = 1
    while line := file.readline(LONGEST_LINE_BYTES):
        if len(line) == LONGEST_LINE_BYTES:
            rule = f"line {number} is longer than {LONGEST_LINE_BYTES} bytes"
            raise InputFault(f"{path}: {rule}; save it with a line a row")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(path, number, error) from error
        number += 1
