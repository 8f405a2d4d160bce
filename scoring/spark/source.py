"""The input as Spark reads it: rows with their numbers, and a key where several rows are of one patient."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.headers import Headers
from features.mapping import ColumnMapping
from features.table_file import A_PIPE, CSV, FIRST_LINES, PARQUET, RECORDS, has_ending, header_below, is_pipe
from scoring.fault import InputFault
from scoring.sources.plain import day_headers
from scoring.sources.wanted import Wanted, wanted
from scoring.spark.columns import FIELDS, KEY, LINE, PATH, ROW_NUMBER, START
from scoring.spark.csv_lines import CsvLayout, parsed, read_headers
from scoring.spark.lines import Places, numbered_lines, without_mark
from scoring.spark.numbering import Block, parts, places
from scoring.spark.parquet_columns import first_wrong, plain_columns, require_right, stamped, with_zones
from scoring.spark.stopped import Stopped, telling

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KINDS = {"parquet": PARQUET, "csv": CSV, "ndjson": RECORDS}


@dataclass(frozen=True, slots=True)
class Source:
    """Numbered rows, and what is known of the whole input before any is scored."""

    frame: DataFrame  # row numbers, used columns under names of their own, perhaps a key
    used: tuple[str, ...]  # the headers of the used columns, in their order
    rows: int
    files: int
    listing: str  # sha256 of the files' names, sizes and times
    patient_type: pa.DataType
    headers: int  # fields of a line of CSV; 0 for other input
    every_header: Headers | None  # of a table

    def as_json(self) -> dict[str, object]:
        """What names the input in a summary: its bytes are not read twice for a digest of their own."""
        return {"engine": "spark", "input_files": self.files, "input_listing_digest": self.listing}


def read_source(session: SparkSession, path: str, mapping: ColumnMapping) -> Source:
    """Read and number a Parquet file or partitioned folder, CSV or NDJSON (by their endings, or those inside).

    Raises:
        Stopped: nothing is there, or it cannot be read as what its ending says.
        InputFault: a header that the mapping names is missing, a used one stands twice, or no visit can be dated.
    """
    kind = _kind(session, path)
    if kind == "parquet":
        return _parquet(session, path, mapping)
    return _lines(session, path, mapping, csv=kind == "csv")


def _parquet(session: SparkSession, path: str, mapping: ColumnMapping) -> Source:
    from pyspark.sql import functions as sql

    whole = session.read.option("mergeSchema", "true").parquet(path)
    chosen = wanted(path, whole.columns, mapping)
    used, dated = chosen.headers, day_headers(mapping)
    zoned = stamped(whole, [header for header in used if header in dated])
    placed = whole.select(
        *(sql.col(_quoted(name)) for name in used),
        sql.col("_metadata.file_path").alias(PATH),
        sql.col("_metadata.row_index").alias(START),
        sql.col("_metadata.file_size").alias("_size"),
        sql.col("_metadata.file_modification_time").cast("string").alias("_time"),
    )
    try:
        hidden = with_zones(session, placed, zoned)
        plain = plain_columns(hidden, chosen, dated, zoned)
    except InputFault as error:
        raise Stopped(f"{path}: {error}") from error
    rows = (sql.max(START) + 1).alias("rows")
    counted = hidden.groupBy(PATH, "_size", "_time").agg(rows, *first_wrong(plain)).collect()
    blocks = [Block(row[PATH], 0, row["rows"], row["_size"], row["_time"]) for row in counted]
    before = {file: place.before for (file, _), place in places(blocks, headed=False).items()}
    require_right(path, plain, counted, before)
    offsets = session.createDataFrame(list(before.items()), f"{PATH} string, _before bigint")
    frame = hidden.join(sql.broadcast(offsets), PATH).withColumn(
        ROW_NUMBER, sql.col("_before") + sql.col(START) + 1
    )
    frame = frame.select(
        ROW_NUMBER, *(column.column.alias(own) for column, own in zip(plain, _own(used), strict=True))
    )
    return _keyed(frame, chosen, blocks, 0)


def _lines(session: SparkSession, path: str, mapping: ColumnMapping, *, csv: bool) -> Source:
    from pyspark.sql import functions as sql

    text = session.read.option("lineSep", "\n").text(path).where(sql.col("value").rlike(r"\S"))
    where = [sql.col("_metadata.file_path").alias(PATH), sql.col("_metadata.file_block_start").alias(START)]
    about = [
        sql.col("_metadata.file_size").alias("_size"),
        sql.col("_metadata.file_modification_time").cast("string").alias("_time"),
    ]
    counted = text.select(*where, *about).groupBy(PATH, START, "_size", "_time").count().collect()
    blocks = [Block(row[PATH], row[START], row["count"], row["_size"], row["_time"]) for row in counted]
    found = dict(places(blocks, headed=csv))
    lines = text.select(*where, sql.col("value").cast("binary").alias(LINE))
    if not csv:
        frame = lines.mapInArrow(_numbering(found), f"{ROW_NUMBER} bigint, {LINE} binary")
        rows = sum(block.rows for block in blocks)
        return Source(frame, (), rows, _files(blocks), _listing(blocks), pa.string(), 0, None)
    headers, chosen = _first_headers(path, lines, blocks, mapping)
    layout = CsvLayout(headers, chosen.headers, chosen.patient_header)
    columns = [f"{own} string" for own in _own(layout.used)]
    schema = ", ".join([f"{ROW_NUMBER} bigint", f"{FIELDS} int", *columns])
    frame = lines.mapInArrow(_parsing(found, layout), schema)
    return _keyed(frame, chosen, blocks, len(headers))


def _numbering(found: Places) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    return lambda batches: telling(lambda: without_mark(numbered_lines(batches, found)))


def _parsing(found: Places, layout: CsvLayout) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    names = [ROW_NUMBER, FIELDS, *_own(layout.used)]

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in parsed(numbered_lines(batches, found), layout):
            yield batch.rename_columns(names)

    return lambda batches: telling(lambda: rows(batches))


def _first_headers(
    path: str, lines: DataFrame, blocks: Sequence[Block], mapping: ColumnMapping
) -> tuple[tuple[str, ...], Wanted]:
    """The headers of the first file and which are read; the tasks hold the other files to them."""
    from pyspark.sql import functions as sql

    first = min(blocks, key=lambda block: (parts(block.path), block.start), default=None)
    if first is None:
        raise Stopped("it is empty; export it again, with a line of headers")
    row = lines.where((sql.col(PATH) == first.path) & (sql.col(START) == first.start)).first()
    try:
        headers = read_headers(bytes(row[LINE]))
        return headers, wanted(path, headers, mapping)
    except (InputFault, Stopped):
        some = lines.where((sql.col(PATH) == first.path) & (sql.col(START) == first.start)).head(FIRST_LINES)
        texts = [bytes(each[LINE]).decode("utf-8", "replace") for each in some]
        below = header_below(texts, mapping.used)
        if below is not None:
            raise Stopped(f"{path}: {below}") from None
        raise


def _keyed(frame: DataFrame, chosen: Wanted, blocks: Sequence[Block], headers: int) -> Source:
    """With a patient_id, its rows together and in the input's order; a row without one is a patient of its own."""
    from pyspark.sql import functions as sql
    from pyspark.sql.pandas.types import to_arrow_type

    used, header, patient_type = chosen.headers, chosen.patient_header, pa.string()
    if header is not None:
        own = _own(used)[used.index(header)]
        patient_type = to_arrow_type(frame.schema[own].dataType)
        text = sql.col(own).cast("string")
        alone = sql.concat(sql.lit("row "), sql.col(ROW_NUMBER).cast("string"))
        key = sql.when(sql.trim(text) == "", None).otherwise(sql.concat(sql.lit("id "), text))
        frame = frame.withColumn(KEY, sql.coalesce(key, alone))
        frame = frame.repartition(KEY).sortWithinPartitions(KEY, ROW_NUMBER)
    headed = _files(blocks) if headers else 0
    rows = sum(block.rows for block in blocks) - headed
    return Source(frame, used, rows, _files(blocks), _listing(blocks), patient_type, headers, chosen.every)


def _kind(session: SparkSession, path: str) -> str:
    """By the ending of the path; of a folder, by those of its files, which are all of one kind."""
    local = Path(path.removeprefix("file://"))
    if local.exists() and is_pipe(local):
        raise Stopped(f"{path}: {A_PIPE}")
    named = has_ending(path.rstrip("/"), (*PARQUET, *CSV, *RECORDS)) and not local.is_dir()
    names = [path.rstrip("/")] if named else _names(session, path)
    packed = [name for name in names if has_ending(name, (".gz",)) and not name.endswith(".gz")]
    if packed:
        raise Stopped(f"{packed[0]}: Spark unpacks what ends in .gz alone, in small letters; rename it")
    kinds = [kind for kind, endings in KINDS.items() if any(has_ending(name, endings) for name in names)]
    if not kinds:
        raise Stopped(f"{path} holds no .parquet, .csv or .ndjson; name a file or folder of one of these")
    if len(kinds) > 1:
        raise Stopped(f"{path} holds files of several kinds ({', '.join(kinds)}); score them apart")
    return kinds[0]


def _names(session: SparkSession, path: str) -> list[str]:
    listed: Any = session.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)
    return sorted(unquoted.rpartition("/")[2] for unquoted in listed.inputFiles())


def _own(used: Sequence[str]) -> list[str]:
    """Names that no dot and no quotation mark of a header can disturb: Spark reads dots as paths.

    >>> _own(["CRP (mg/dl.)", "ID"])
    ['_tregcast_0', '_tregcast_1']
    """
    return [f"_tregcast_{at}" for at in range(len(used))]


def _files(blocks: Iterable[Block]) -> int:
    return len({block.path for block in blocks})


def _listing(blocks: Iterable[Block]) -> str:
    """A digest of the files' names, sizes and times: one of their bytes would read everything twice."""
    files = sorted({(parts(block.path)[-1], block.size, block.modified) for block in blocks})
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
