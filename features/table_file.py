"""What a file of tables or records is: by the ending of its name, small or capital, and by its first bytes."""

from __future__ import annotations

import gzip
import re
import stat
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

PARQUET = (".parquet",)
CSV = (".csv", ".csv.gz")
RECORDS = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
A_PIPE = "it is a pipe or a device, and its rows are read more than once; write them to a file, and name that"

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_KNOWN = (
    (_GZIP, "gzip"),
    (_PARQUET, "Parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"ARROW1", "Arrow's IPC format (Feather)"),
    (b"(\xb5/\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"$FL2", "SPSS"),
    (b"$FL3", "SPSS"),
    (b"<stata", "Stata"),
    (b"SQLite format 3", "SQLite"),
    (b"%PDF", "PDF"),
)
_HEAD = 16  # bytes
FIRST_LINES = 50  # among which a header is looked for


def has_ending(name: str, endings: tuple[str, ...]) -> bool:
    """Whether a name ends so, in small or capital letters.

    >>> has_ending("VISITS.CSV.GZ", CSV), has_ending("visits.csv", PARQUET)
    (True, False)
    """
    return name.lower().endswith(endings)


def named_by_bytes(head: bytes) -> str | None:
    """What the first bytes of a file say that it is; None where they may be text.

    >>> named_by_bytes(b"PAR1..."), named_by_bytes(b"patient_id,")
    ('Parquet', None)
    """
    return next((what for magic, what in _KNOWN if head.startswith(magic)), None)


def is_pipe(path: Path) -> bool:
    """Whether a path is a named pipe, a socket or a device, as ``/dev/stdin`` is: it cannot be read twice."""
    mode = path.stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def misnamed(path: Path) -> str | None:
    """Why a file is not what its ending says, and what to do; None where nothing is seen, or it cannot be read.

    Args:
        path: a regular file with one of the endings above.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return None
    if has_ending(path.name, PARQUET):
        return None if head.startswith(_PARQUET) else _not_parquet(head)
    if path.name.lower().endswith(".gz"):
        if not head.startswith(_GZIP):
            return "its name ends in .gz, but its first bytes are not those of gzip; take that ending away"
        head = _unpacked(path)
    elif head.startswith(_GZIP):
        return f"its first bytes are those of gzip; name it {path.name}.gz"
    what = named_by_bytes(head)
    if what is None:
        return None
    return f"its first bytes are those of {what}; {'name it .parquet' if what == 'Parquet' else 'export it as CSV'}"


def _not_parquet(head: bytes) -> str:
    what = named_by_bytes(head)
    if what is None and b"\0" not in head:
        return "its first bytes are those of a text, not of Parquet; if it is CSV, name it .csv"
    remedy = "name it .csv.gz if it is CSV" if what == "gzip" else "export it as Parquet"
    return f"its first bytes are {f'those of {what}' if what else 'not those of Parquet'}; {remedy}"


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""  # whoever reads it all says what is wrong


SEP_NOTE = "its first line, sep=, is a note for spreadsheets and no header; delete that line"


def is_sep_note(line: str) -> bool:
    """Whether the first line of a CSV file only says what separates its columns.

    >>> is_sep_note("sep=;"), is_sep_note("sep=,\\n"), is_sep_note("separator,months")
    (True, True, False)
    """
    return re.fullmatch(r'\ufeff?"?sep=.?"?\s*', line, re.IGNORECASE) is not None


def header_below(lines: Iterable[str], used: Collection[str]) -> str | None:
    """What stands before the header of a CSV file: a note of its separator or other lines; None if none is seen.

    Args:
        lines: the first lines of the file.
        used: the headers that would be read.

    >>> header_below(["Export of 3 May", "", "patient_id,crp_mg_l", "a,3"], {"patient_id", "crp_mg_l"})
    '1 line stands before its header; delete what stands there'
    """
    filled = [line for line in lines if line.strip()]
    if filled and is_sep_note(filled[0]):
        return SEP_NOTE
    for before, line in enumerate(filled):
        cells = {cell.strip().strip('"') for cell in re.split(r"[,;\t|]", line.strip().removeprefix("\ufeff"))}
        if len(cells & set(used)) >= min(2, len(used)):
            if before == 0:
                return None
            stands = "1 line stands" if before == 1 else f"{before} lines stand"
            return f"{stands} before its header; delete what stands there"
    return None
