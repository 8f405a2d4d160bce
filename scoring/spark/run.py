"""A run on Spark, from IN to OUT: ``answers/``, ``rejects/`` and ``summary.json`` in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from features.mapping import ColumnMapping, MappingError
from model.pack import Pack, Refused, load_pack
from scoring.columns import answer_schema, reject_schema
from scoring.fault import ScoringFault
from scoring.rows.forecasts import require_coverage
from scoring.settings import ScoreSettings
from scoring.sources.naming import Named, headers_for, unnamed
from scoring.spark.columns import ANSWERS, KIND, REJECTS, both_schema
from scoring.spark.place import Place, making
from scoring.spark.scored_rows import ScoreTask
from scoring.spark.shipped_pack import ShippedPack, ship
from scoring.spark.source import Source, read_source
from scoring.spark.stopped import Stopped, told_by_task
from scoring.spark.summary import count
from scoring.summary import Summary, Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

Format = Literal["parquet", "csv", "json"]
STAGE = "stage"
# What rows must be read as, whatever the session says otherwise.
READING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.useLargeVarTypes": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "8192",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # else a column that nobody uses ends the run
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # as text, like all that has no type
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}


def run(
    session: SparkSession,
    source: str,
    out: str,
    *,
    pack_folder: Path,
    mapping: ColumnMapping,
    settings: ScoreSettings,
    mapping_digest: str | None = None,
    overwrite: bool = False,
    strict: bool = False,
    named: Named = unnamed,
) -> Summary:
    """Score a file or folder on a cluster, and return the summary that was written.

    Args:
        session: a classic one (not Spark Connect), whose executors can import Tregcast.
        source: a Parquet file or partitioned folder, CSV or NDJSON, as Spark names files.
        out: a folder that is not there yet. Ending in ``.csv`` or ``.ndjson`` its tables are such, else Parquet.
        pack_folder: of the pack, on the driver's machine.
        mapping: of the input's headers.
        settings: what is asked for.
        mapping_digest: sha256 of the mapping's file, for the summary.
        overwrite: whether a folder that is there is replaced, at the end.
        strict, named: of headers, as `scoring.runs.run` has them.

    Raises:
        Stopped: there is no result; the text says why and what to do.
    """
    try:
        pack = load_pack(pack_folder)
        require_coverage(pack.predictor.fitted, settings.coverage)
        with reading(session), making(session, out, overwrite=overwrite) as place:
            read = read_source(session, source, mapping)
            headers = headers_for(source, read.every_header, pack.predictor.matrix, named, strict=strict)
            shipped = ship(session, pack_folder, pack.id)
            tally = score_source(read, place, pack, shipped, mapping=mapping, settings=settings)
            about, predictor = read.as_json(), pack.predictor
            told = (predictor.pack, predictor.statement, read.rows, tally, headers)
            summary = Summary(about, mapping_digest, settings, *told)
            place.finish(summary.to_json())
            return summary
    except Stopped:
        raise
    except (Refused, MappingError, ScoringFault) as error:
        raise Stopped(str(error)) from error
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark", "py4j")):
            raise
        raise Stopped(told_by_task(error)) from None


def score_source(
    read: Source,
    place: Place,
    pack: Pack,
    shipped: ShippedPack,
    *,
    mapping: ColumnMapping,
    settings: ScoreSettings,
) -> Tally:
    """Score what was read into the place of the result: rows are scored once, then parted by their kind."""
    session, stage = place.session, f"{place.work}/{STAGE}"
    answers = answer_schema(read.patient_type, pack.predictor.matrix, settings.explain)
    schema = spark_schema(both_schema(answers))
    task = ScoreTask(shipped, mapping, settings, read.patient_type, read.used, read.headers)
    read.frame.mapInArrow(task.over(), schema).write.partitionBy(KIND).parquet(stage)
    both = session.read.schema(schema).parquet(stage)
    tally = count(both)
    told = tally.outcomes.total()
    if told != read.rows:
        raise Stopped(f"{read.rows} rows were read, but {told} answered or rejected; nothing is put in place")
    form = output_format(place.out)
    for kind, columns in ((ANSWERS, answers), (REJECTS, reject_schema(read.patient_type))):
        write(both.where(both[KIND] == kind).select(columns.names), f"{place.work}/{kind}", form)
    place.discard(STAGE)
    return tally


def spark_schema(schema: pa.Schema) -> StructType:
    """The same columns as Spark names their types."""
    from pyspark.sql.pandas.types import from_arrow_schema

    found: StructType = from_arrow_schema(schema)
    return found


def output_format(out: str) -> Format:
    """The format of the tables, by the ending of their folder's name.

    >>> output_format("s3a://bucket/scores.csv"), output_format("scores.ndjson"), output_format("scores")
    ('csv', 'json', 'parquet')
    """
    name = out.rstrip("/")
    return "csv" if name.endswith(".csv") else "json" if name.endswith((".ndjson", ".jsonl")) else "parquet"


def write(frame: DataFrame, path: str, form: Format) -> None:
    """Write a table in parts. Of CSV, a null is nothing between commas, and texts may hold line breaks."""
    writer = frame.write
    if form == "csv":
        writer.options(header=True, escape='"', quote='"', emptyValue="", nullValue="").csv(path)
    elif form == "json":
        writer.options(ignoreNullFields=True).json(path)
    else:
        writer.parquet(path)


@contextmanager
def reading(session: SparkSession) -> Iterator[None]:
    """The session as rows must be read, and after that as it was."""
    before: dict[str, Any] = {name: session.conf.get(name, None) for name in READING}
    for name, value in READING.items():
        session.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            session.conf.unset(name) if value is None else session.conf.set(name, value)
