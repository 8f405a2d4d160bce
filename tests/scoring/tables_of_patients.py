"""Tables whose identifiers or days are written in many ways, and what every reader must make of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Whose:
    """Identifiers of the rows of a file, and which rows are of one patient: by number, equal numbers are one."""

    name: str
    write: Callable[[Path], Path]
    patients: Sequence[int]


@dataclass(frozen=True)
class Refused:
    """A file that every reader refuses, with these words."""

    name: str
    write: Callable[[Path], Path]
    words: str
    local_only: bool = False  # Spark refuses it in words of its own


def csv(*cells: str) -> Callable[[Path], Path]:
    """Rows a month apart, with these identifiers."""

    def write(folder: Path) -> Path:
        rows = [f"{cell},{10 + at},{40 - at}" for at, cell in enumerate(cells)]
        path = folder / "t.csv"
        path.write_text("patient_id,months_since_onset,alsfrs_r_total\n" + "\n".join(rows) + "\n", "utf-8")
        return path

    return write


def parquet(*columns: pa.Array) -> Callable[[Path], Path]:
    """The same as Parquet: a file, or a folder of one a column."""

    def write(folder: Path) -> Path:
        place = folder / "t.parquet"
        if len(columns) > 1:
            place.mkdir()
        month = 10.0
        for number, column in enumerate(columns):
            months = [month + at for at in range(len(column))]
            month += len(column)
            table = pa.table(
                {"patient_id": column, "months_since_onset": months, "alsfrs_r_total": [50.0 - m for m in months]}
            )
            pq.write_table(table, place / f"{number}.parquet" if len(columns) > 1 else place)
        return place

    return write


def dated(column: pa.Array, **how: object) -> Callable[[Path], Path]:
    """One patient, whose visits are at these days or instants."""

    def write(folder: Path) -> Path:
        count = len(column)
        table = pa.table(
            {
                "patient_id": ["a"] * count,
                "onset_date": ["2025-01-01"] * count,
                "visit_date": column,
                "alsfrs_r_total": [40.0 - at for at in range(count)],
            }
        )
        pq.write_table(table, folder / "t.parquet", **how)
        return folder / "t.parquet"

    return write


def ints(*cells: int | None, kind: pa.DataType | None = None) -> pa.Array:
    """Whole numbers."""
    return pa.array(cells, kind or pa.int64())


WHOSE = (
    Whose("words for nothing in CSV", csv("NA", "NA", "null", "None", "nan", "nan", "N/A"), [0, 0, 1, 2, 3, 3, 4]),
    Whose("words for nothing in Parquet", parquet(pa.array(["NA", "NA", "null", "nan", "nan"])), [0, 0, 1, 2, 2]),
    Whose("leading zeros and exponents in CSV", csv("007", "7", "1e5", "100000", "1E5"), [0, 1, 2, 3, 4]),
    Whose("leading zeros in Parquet", parquet(pa.array(["007", "7", "007"])), [0, 1, 0]),
    Whose("blanks around a text", csv(" 12", "12", "12 ", " 12"), [0, 1, 2, 0]),
    Whose("nothing but blanks in CSV", csv("", "", "  ", "\u00a0", "\t"), [0, 1, 2, 3, 4]),
    Whose("nothing but blanks in Parquet", parquet(pa.array([None, "", " ", "\u00a0", "\t", "\u2003"])), range(6)),
    Whose("whole numbers with gaps beyond 2^53", parquet(ints(2**53, 2**53 + 1, None, 2**53)), [0, 1, 2, 0]),
    Whose("unsigned numbers beyond 2^63", parquet(ints(2**64 - 1, 2**64 - 2, kind=pa.uint64())), [0, 1]),
    Whose("small whole numbers", parquet(ints(1, 2, 1, kind=pa.int8())), [0, 1, 0]),
    Whose("floating point", parquet(pa.array([12.0, 13.0, None, 12.0, float("nan")])), [0, 1, 2, 0, 3]),
    Whose("floating point below 2^53", parquet(pa.array([2.0**53 - 1, 2.0**53 - 2])), [0, 1]),
    Whose("single precision", parquet(pa.array([1.0, 2.0, 1.0], pa.float32())), [0, 1, 0]),
    Whose("decimals", parquet(pa.array([Decimal("12.00"), Decimal("13.00"), Decimal("12.00")])), [0, 1, 0]),
    Whose("decimals of 38 digits", parquet(pa.array([Decimal(9**38), Decimal(9**38 - 1)])), [0, 1]),
    Whose("categories", parquet(pa.array(["b", "a", "b"]).dictionary_encode()), [0, 1, 0]),
    Whose("views of text", parquet(pa.array(["b", "a", "b"], pa.string_view())), [0, 1, 0]),
    Whose("large texts", parquet(pa.array(["b", "a", "b"], pa.large_string())), [0, 1, 0]),
    Whose("a column of nothing", parquet(pa.nulls(2, pa.string())), [0, 1]),
)
"""Read alike by every reader."""

MIXED = (
    Whose("text and numbers", parquet(ints(12, 7), pa.array(["12", "007"])), [0, 1, 0, 2]),
    Whose("numbers of three kinds", parquet(ints(12), pa.array([12.0]), pa.array([Decimal("12.0")])), [0, 0, 0]),
    Whose("int64 and uint64", parquet(ints(12), ints(12, kind=pa.uint64())), [0, 0]),
    Whose("int32 and int64", parquet(ints(12, kind=pa.int32()), ints(12)), [0, 0]),
)
"""Types that differ between the files of a folder, which Spark refuses itself."""

LARGE, FRACTION, OTHER = r"at or beyond 2\^", "a number with a fraction", "is no text and no whole number"
REFUSED = (
    Refused("2^53", parquet(pa.array([1.0, 2.0**53])), f"row 2.*patient_id is .*{LARGE}53.*text or as whole"),
    Refused("-2^60", parquet(pa.array([-(2.0**60)])), f"patient_id is .*{LARGE}53"),
    Refused("2^24 in single precision", parquet(pa.array([2.0**24], pa.float32())), f"patient_id is .*{LARGE}24"),
    Refused("a fraction", parquet(pa.array([1.5])), f"row 1.*patient_id is {FRACTION}"),
    Refused("infinity", parquet(pa.array([float("inf")])), f"patient_id is {FRACTION}"),
    Refused("a decimal fraction", parquet(pa.array([Decimal("12.50")])), f"row 1.*patient_id is {FRACTION}"),
    Refused("booleans", parquet(pa.array([True, False])), f"patient_id {OTHER}"),
    Refused("days", parquet(pa.array([date(2025, 1, 1)])), f"patient_id {OTHER}"),
    Refused("instants", parquet(pa.array([datetime(2025, 1, 1)])), f"patient_id {OTHER}"),
    Refused("bytes", parquet(pa.array([b"a"])), f"patient_id (is|{OTHER})"),
    Refused("a list", parquet(pa.array([["a"]])), "patient_id (is of a type that no cell has|is no text)"),
)

LATE = datetime(2025, 9, 1, 22, 30)  # in UTC; in Berlin it is the 2nd
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def _instants(*moments: datetime, unit: str = "us", zone: str | None = None) -> pa.Array:
    return pa.array(moments, pa.timestamp(unit, zone))


MIDNIGHT, FIRST, SECOND = datetime(2025, 9, 1), date(2025, 9, 1), date(2025, 9, 2)
DAYS = (
    ("a zone east", dated(_instants(LATE, zone=BERLIN)), [SECOND]),
    ("a zone west", dated(_instants(datetime(2025, 9, 2, 3), zone=NEW_YORK)), [FIRST]),
    ("an offset", dated(_instants(LATE, zone="+02:00")), [SECOND]),
    ("milliseconds of a zone", dated(_instants(LATE, unit="ms", zone=BERLIN)), [SECOND]),
    ("UTC", dated(_instants(LATE, zone="UTC")), [FIRST]),
    ("no zone", dated(_instants(LATE)), [FIRST]),
    ("no zone, without a note", dated(_instants(LATE), store_schema=False), [FIRST]),
    (
        "midnight in UTC, without a note",
        dated(_instants(datetime(2025, 9, 1), zone=BERLIN), store_schema=False),
        [FIRST],
    ),
    ("INT96 with a note", dated(_instants(LATE, unit="ns"), use_deprecated_int96_timestamps=True), [FIRST]),
    (
        "before summer time ends",
        dated(_instants(datetime(2025, 10, 25, 22, 30), zone=BERLIN)),
        [date(2025, 10, 26)],
    ),
    ("date32", dated(pa.array([FIRST], pa.date32())), [FIRST]),
    ("date64", dated(pa.array([FIRST], pa.date64())), [FIRST]),
    ("texts with offsets", dated(pa.array(["2025-09-01T23:30:00+02:00", "2025-09-02 00:30:00Z"])), [FIRST, SECOND]),
    ("texts as views", dated(pa.array(["2025-09-01"], pa.string_view())), [FIRST]),
)
NANOSECONDS = (
    ("nanoseconds of a zone", dated(_instants(LATE, unit="ns", zone=BERLIN)), [SECOND]),
    ("no zone, nanoseconds", dated(_instants(LATE, unit="ns")), [FIRST]),
)
"""Which Spark does not read."""
UNKNOWN_DAYS = (
    Refused(
        "instants without a note",
        dated(_instants(MIDNIGHT, LATE, zone=BERLIN), store_schema=False),
        "row 2: visit_date is an instant whose time zone the file does not say",
    ),
    Refused(
        "INT96 without a note",
        dated(_instants(LATE, unit="ns"), use_deprecated_int96_timestamps=True, store_schema=False),
        "row 1: visit_date is an instant whose time zone",
    ),
    Refused(
        "a zone that is none", dated(_instants(LATE, zone="Nowhere/Here")), "visit_date is in a time zone that is"
    ),
    Refused("a list of days", dated(pa.array([[FIRST]])), "visit_date is of a type that no cell has"),
)


def misnamed(name: str, data: bytes) -> Callable[[Path], Path]:
    """A file whose name says something else than its bytes."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


PLAIN = b"patient_id,months_since_onset,alsfrs_r_total\na,10,40\n"
WITH_NOTES = b'patient_id,months_since_onset,alsfrs_r_total,note\na,10,40,"fell,\ntwice"\n'
MISNAMED = (
    Refused("gzip named CSV", misnamed("t.csv", gzip.compress(PLAIN)), "its first bytes are those of gzip"),
    Refused("Parquet named CSV", misnamed("t.csv", b"PAR1\x15\x04"), "first bytes are those of Parquet"),
    Refused(
        "Excel named CSV",
        misnamed("t.CSV", b"PK\x03\x04\x14"),
        "first bytes are those of a zip archive or an Excel",
    ),
    Refused("CSV named gzip", misnamed("t.csv.gz", PLAIN), "name ends in .gz", local_only=True),
    Refused(
        "Parquet in gzip", misnamed("t.csv.gz", gzip.compress(b"PAR1\x15")), "first bytes are those of Parquet"
    ),
    Refused("CSV named Parquet", misnamed("t.parquet", PLAIN), "first bytes are those of a text", local_only=True),
    Refused("sep=", misnamed("t.csv", b"sep=;\na;b\n"), "first line, sep=, is a note for spreadsheets"),
    Refused("sep=, with commas", misnamed("t.csv", b"sep=,\r\n" + PLAIN), "first line, sep=, is a note"),
    Refused(
        "a preamble",
        misnamed("t.csv", b"Export of 3 May\n\nALS clinic\n" + PLAIN),
        "2 lines stand before its header",
    ),
    Refused("a preamble of fields", misnamed("t.csv", b"Export,,\n" + PLAIN), "1 line stands before its header"),
    Refused(
        "a preamble with a stray mark",
        misnamed("t.csv", b'"Export" of 3 May\n' + PLAIN),
        "1 line stands before its header",
    ),
    Refused(
        "a preamble, and a text over lines",
        misnamed("t.csv", b"Export\n" + WITH_NOTES),
        "1 line stands before its header",
    ),
    Refused(
        "sep=, and a text over lines",
        misnamed("t.csv", b"sep=,\r\n" + WITH_NOTES),
        "first line, sep=, is a note for spreadsheets",
    ),
)
