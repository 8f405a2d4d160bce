"""The layout of a CSV file: what a reader of tables would take without a word, and take wrongly.

A row with a field too many moves every value of the file by a column, a second header of the same name vanishes
under another, and a file of semicolons is one column. Such a file is refused, with the lines and the remedy.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.strict_csv import AS_UTF8, CsvFault, require_strict
from features.table_file import FIRST_LINES, header_below

OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MOST_LINES_TOLD = 10
FIRST_BYTES = 2**16  # among which a header is looked for where the file is no CSV


class LayoutError(ValueError):
    """A CSV file that cannot be read as a table; the text says where and what to do, and holds no value."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Headers as they stand in the file, and the line on which each data row begins (1 is the header's)."""

    headers: tuple[str, ...]
    lines: tuple[int, ...]


def read_layout(path: Path, used: Collection[str] = ()) -> Layout:
    """The layout of a ``.csv`` or ``.csv.gz`` file.

    Args:
        path: the file.
        used: headers whose columns will be used: none of them may stand there twice.

    Raises:
        LayoutError: not UTF-8, empty, another separator, rows unlike the header in length, a used header twice; or
            as `features.strict_csv` has it.
        OSError, EOFError, zlib.error: the file cannot be had.
    """
    rows = csv.reader(io.StringIO(_text(path, used), newline=""))
    found: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in rows:
            if any(cell.strip() for cell in row) or len(row) > 1:  # a blank line is no row
                found.append((begins, row))
            begins = rows.line_num + 1
    except csv.Error as error:
        raise LayoutError(f"line {begins}: {error}; look for a quotation mark that is not closed") from error
    if not found:
        raise LayoutError("it is empty; export it again, with a line of headers")
    (_, headers), data = found[0], found[1:]
    _require_header(headers, [",".join(row) for _, row in found[:FIRST_LINES]], used)
    _require_commas(headers)
    problems = [*_repeated(headers, used), *_ragged(len(headers), data)]
    if problems:
        raise LayoutError("; ".join(problems))
    return Layout(tuple(headers), tuple(line for line, _ in data))


def _text(path: Path, used: Collection[str]) -> str:
    """The text of the file, of which every reader makes the same rows."""
    data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    try:
        require_strict(data)
        return data.decode("utf-8-sig")
    except CsvFault as fault:
        first = data[:FIRST_BYTES].decode("utf-8", "replace").splitlines()[:FIRST_LINES]
        raise LayoutError(header_below(first, used) or str(fault)) from fault
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LayoutError(f"line {line} is not UTF-8 text (byte 0x{data[error.start]:02x}); {AS_UTF8}") from error


def _require_header(headers: Sequence[str], lines: Sequence[str], used: Collection[str]) -> None:
    below = None if set(headers) & set(used) else header_below(lines, used)
    if below is not None:
        raise LayoutError(below)


def _require_commas(headers: Sequence[str]) -> None:
    line = ",".join(headers)
    separator = max(OTHER_SEPARATORS, key=line.count)
    if line.count(separator) > line.count(","):
        raise LayoutError(
            f"its columns are separated by {OTHER_SEPARATORS[separator]}; save it with commas between columns and "
            f"points in numbers, in Python: pandas.read_csv(file, sep={separator!r}, decimal=',')"
            ".to_csv('fixed.csv', index=False)"
        )


def _repeated(headers: Sequence[str], used: Collection[str]) -> list[str]:
    return [
        f"the header {header} stands there {count} times; keep one column, or rename the others"
        for header, count in Counter(headers).items()
        if count > 1 and header in used
    ]


def _ragged(width: int, rows: Sequence[tuple[int, list[str]]]) -> list[str]:
    wrong = [(line, len(row)) for line, row in rows if len(row) != width]
    if not wrong:
        return []
    told = ", ".join(f"line {line} has {fields}" for line, fields in wrong[:MOST_LINES_TOLD])
    more = f" (and {len(wrong) - MOST_LINES_TOLD} more lines)" if len(wrong) > MOST_LINES_TOLD else ""
    return [
        f"the header has {width} fields, but {told}{more}; put a text with a comma between quotation marks, "
        "and a point, not a comma, into numbers"
    ]
