"""The columns of Parquet in plain types as Spark computes them: the same identifiers and days as on one machine."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from features.identifier import BLANKS, DIGITS, FRACTION, REMEDY, too_large
from features.instants import ARROW_NOTE, DAY_REMEDY, ZONE_MISSING, ZONE_UNKNOWN
from scoring.fault import InputFault
from scoring.sources.plain import identifier_type, plain_type
from scoring.sources.wanted import Wanted
from scoring.spark.columns import PATH, START

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row, SparkSession

_DAY = 86_400 * 10**6  # microseconds
NANOSECONDS = "is a whole number, or an instant in nanoseconds, which Spark does not read"
WRONG = "_tregcast_wrong_"  # and the number of the rule
ZONE = "_tregcast_zone_"  # and the number of the column that it is of


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be in a column: the condition, and what is said of a row where it holds."""

    wrong: Column
    words: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A used column in its plain type, and what it must not hold."""

    header: str
    column: Column
    rules: tuple[Rule, ...] = ()


def stamped(frame: DataFrame, headers: Iterable[str]) -> list[str]:
    """Those of the headers whose columns are instants, which Spark has in UTC."""
    from pyspark.sql.types import TimestampType

    return [header for header in headers if header in frame.columns and _is(frame, header, TimestampType)]


def with_zones(session: SparkSession, frame: DataFrame, headers: Sequence[str]) -> DataFrame:
    """The frame, with the zone of each file's instants beside them; null where the file does not say it.

    Args:
        session: whose driver reads the footers of the files.
        frame: with the path of each row's file.
        headers: of columns of instants.

    Raises:
        InputFault: a zone is not known.
    """
    from pyspark.sql import functions as sql

    if not headers:
        return frame
    paths = [row[PATH] for row in frame.select(PATH).distinct().collect()]
    zones = [(path, *_zones(session, path, headers)) for path in paths]
    columns = ", ".join([f"{PATH} string", *(f"{ZONE}{at} string" for at in range(len(headers)))])
    return frame.join(sql.broadcast(session.createDataFrame(zones, columns)), PATH, "left")


def plain_columns(frame: DataFrame, chosen: Wanted, days: Iterable[str], zoned: Sequence[str]) -> list[Plain]:
    """Each used column of Parquet as it is read.

    Args:
        frame: as Spark reads it, with the zones of the instants.
        chosen: what is used.
        days: headers of columns of days.
        zoned: headers of those that are instants, as `with_zones` had them.

    Raises:
        InputFault: a column is of a type that no cell or no identifier has; all of them are told.
    """
    from pyspark.sql import functions as sql
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import TimestampNTZType

    found, problems = [], []
    for header in chosen.headers:
        column, kind = frame[_quoted(header)], to_arrow_type(frame.schema[header].dataType, timezone="UTC")
        try:
            if header == chosen.patient_header:
                found.append(_identifier(header, column, kind))
            elif header in zoned:
                found.append(_day(header, column, sql.col(f"{ZONE}{zoned.index(header)}")))
            elif header in days and _is(frame, header, TimestampNTZType):
                found.append(Plain(header, sql.to_date(column)))
            elif header in days and pa.types.is_integer(kind):
                raise InputFault(f"{header} {NANOSECONDS}; {DAY_REMEDY}")
            else:
                plain_type(header, kind)
                found.append(Plain(header, column))
        except InputFault as error:
            problems.append(str(error))
    if problems:
        raise InputFault("; ".join(problems))
    return found


def first_wrong(columns: Iterable[Plain]) -> list[Column]:
    """Of each rule, the place in a file of the first row that it forbids; null where there is none."""
    from pyspark.sql import functions as sql

    rules = [rule for column in columns for rule in column.rules]
    return [sql.min(sql.when(rule.wrong, sql.col(START))).alias(f"{WRONG}{at}") for at, rule in enumerate(rules)]


def require_right(path: str, columns: Iterable[Plain], counted: Sequence[Row], before: Mapping[str, int]) -> None:
    """Refuse columns that hold what their rules forbid; of each the first row is named.

    Args:
        path: of the input. columns: its own.
        counted: of each file its path, and what `first_wrong` found.
        before: the rows of the input before each file.

    Raises:
        InputFault: all that is wrong.
    """
    problems = []
    for at, (header, rule) in enumerate((column.header, rule) for column in columns for rule in column.rules):
        found = [before[row[PATH]] + row[f"{WRONG}{at}"] + 1 for row in counted if row[f"{WRONG}{at}"] is not None]
        if found:
            problems.append(f"row {min(found)}: {header} {rule.words}")
    if problems:
        raise InputFault(f"{path}: " + "; ".join(problems))


def _identifier(header: str, column: Column, kind: pa.DataType) -> Plain:
    from pyspark.sql import functions as sql

    whole = identifier_type(header, [kind]) == pa.int64()
    if pa.types.is_string(kind):
        return Plain(header, sql.when(sql.trim(column, sql.lit(BLANKS)) != "", column))
    if pa.types.is_decimal(kind):
        digits = column.cast("decimal(38,0)").cast("string")
        return Plain(header, digits, (Rule(column % 1 != 0, f"{FRACTION}; {REMEDY}"),))
    if not pa.types.is_floating(kind):
        return Plain(header, column.cast("bigint" if whole else "string"))
    bits = DIGITS[kind.bit_width // 8]
    number, endless = ~sql.isnan(column), sql.abs(column) == float("inf")
    fraction = Rule(number & (endless | (column % 1 != 0)), f"{FRACTION}; {REMEDY}")
    large = Rule(number & ~endless & (sql.abs(column) >= 2.0**bits), f"{too_large(bits)}; {REMEDY}")
    return Plain(header, sql.when(number, column.cast("bigint")), (fraction, large))


def _day(header: str, column: Column, zone: Column) -> Plain:
    from pyspark.sql import functions as sql

    local = sql.to_date(sql.from_utc_timestamp(column, sql.coalesce(zone, sql.lit("UTC"))))
    unknown = zone.isNull() & (sql.unix_micros(column) % _DAY != 0)
    return Plain(header, local, (Rule(unknown, f"{ZONE_UNKNOWN}; {DAY_REMEDY}"),))


def _zones(session: SparkSession, path: str, headers: Sequence[str]) -> list[str | None]:
    """The zone of each column in a file: from Arrow's note in its footer, if it has one."""
    note = _note(session, path)
    if note is None:
        return [None] * len(headers)
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(note)))
    kinds = [schema.field(header).type if header in schema.names else pa.null() for header in headers]
    zones = [(kind.tz or "UTC") if pa.types.is_timestamp(kind) else None for kind in kinds]
    for header, zone in zip(headers, zones, strict=True):
        try:
            pc.local_timestamp(pa.array([0], pa.timestamp("us", zone or "UTC")))
        except pa.ArrowInvalid:
            raise InputFault(f"{header} {ZONE_MISSING} ({zone}); {DAY_REMEDY}") from None
    return zones


def _note(session: SparkSession, path: str) -> str | None:
    context: Any = session.sparkContext
    machine: Any = context._jvm
    place = machine.org.apache.hadoop.fs.Path(machine.java.net.URI(path))
    parquet, settings = machine.org.apache.parquet.hadoop, context._jsc.hadoopConfiguration()
    reader = parquet.ParquetFileReader.open(parquet.util.HadoopInputFile.fromPath(place, settings))
    try:
        note: str | None = reader.getFileMetaData().getKeyValueMetaData().get(ARROW_NOTE)
    finally:
        reader.close()
    return note


def _is(frame: DataFrame, header: str, kind: type) -> bool:
    return isinstance(frame.schema[header].dataType, kind)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
