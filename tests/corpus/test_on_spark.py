"""The records and the tables of the corpus on a real Spark: answered or refused as on one machine."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from features.mapping import ColumnMapping, MappingError, read_mapping
from scoring.fault import ScoringFault
from scoring.settings import ScoreSettings
from scoring.spark.columns import KIND, REJECTS
from scoring.spark.run import reading, run
from scoring.spark.scored_rows import ScoreTask
from scoring.spark.shipped_pack import ShippedPack, ship
from scoring.spark.source import read_source
from scoring.spark.stopped import told_by_task
from tests.conftest import Trained
from tests.corpus.cases import Case, Found, as_rows, cases
from tests.corpus.routes import RECORDS, TODAY, Rows, of_row, of_rows
from tests.corpus.test_records import AS_TABLE, differences, lines, write
from tests.corpus.test_tables import require_rows
from tests.corpus.written import mapping_of, written

pytestmark = pytest.mark.slow
SETTINGS = ScoreSettings("none", 0.9, TODAY)
TABLES = [case for case in cases("tables") if "spark" in case.routes]


def scored(session: SparkSession, source: Path, trained: Trained) -> Rows:
    """A whole run, on its executors."""
    out = source.with_name(f"{source.name}.scored")
    asked = {"mapping": ColumnMapping(), "settings": SETTINGS}
    run(session, str(source), str(out), pack_folder=trained.pack_folder, **asked)  # type: ignore[arg-type]
    files = [file for kind in ("answers", "rejects") for file in (out / kind).glob("*.parquet")]
    return of_rows(row for file in files for row in pq.read_table(file).to_pylist())


def test_records(session: SparkSession, trained: Trained, alone: dict[str, Found], tmp_path: Path) -> None:
    source = tmp_path / "records.ndjson"
    source.write_bytes(lines())
    found = scored(session, source, trained)
    spark = {str(case): found[row] for row, case in enumerate(RECORDS, start=1)}
    assert {name: differ for name in spark if (differ := differences(name, alone[name], {"spark": spark}))} == {}


@pytest.mark.parametrize("form", ["text.csv", "numbers.parquet"])
def test_records_as_tables(
    form: str, session: SparkSession, trained: Trained, alone: dict[str, Found], tmp_path: Path
) -> None:
    rows = [row for case in AS_TABLE for row in as_rows(str(case), case.given["record"])]
    source = tmp_path / form.replace(".", "/table.")
    source.parent.mkdir()
    write(rows, source)
    found = scored(session, source, trained)
    spark = {row["patient_id"]: found[number] for number, row in enumerate(rows, start=1)}
    assert {name: differ for name in spark if (differ := differences(name, alone[name], {"spark": spark}))} == {}


@pytest.fixture(scope="module")
def shipped(session: SparkSession, trained: Trained) -> ShippedPack:
    """The pack where each executor has it; and few tasks for small tables."""
    session.conf.set("spark.sql.shuffle.partitions", "1")
    session.conf.set("spark.sql.files.maxPartitionBytes", "1000000")
    sent = ship(session, trained.pack_folder, trained.pack.id)
    session.range(1).mapInArrow(lambda batches: batches, "id long").collect()
    return sent


def answered(session: SparkSession, source: Path, mapping_path: Path | None, pack: ShippedPack) -> Rows:
    """What Spark reads of a file, and what its task makes of that; here, so that many files take few seconds."""
    mapping = ColumnMapping() if mapping_path is None else read_mapping(mapping_path)
    with reading(session):
        read = read_source(session, str(source), mapping)
        task = ScoreTask(pack, mapping, SETTINGS, read.patient_type, read.used, read.headers)
        made = pa.Table.from_batches(task.rows(read.frame.toArrow().to_batches()))
    assert made.num_rows == read.rows
    rows = made.to_pylist()
    return {row["row"]: of_row(row if row[KIND] == REJECTS else row | {"codes": None}) for row in rows}


def rows_of(case: Case) -> list[dict[str, str]]:
    """The rows of a plain table; patients are called by the case, unless it is their names that it is about."""
    rows = [dict(row) for row in csv.DictReader(io.StringIO(case.given["csv"]))]
    for row in rows:
        whose = row.get("patient_id", "")
        row["patient_id"] = whose if case.kind == "A4" or not whose else f"{case} {whose}"
    return rows


def together() -> list[Case]:
    """Plain tables of which no two have a patient in common, so that they can be one."""
    found, known = [], set[str]()
    for case in TABLES:
        is_plain = not {"columns", "mapping", "file", "encoding"} & set(case.given)
        if case.kind == "A2" or not is_plain or {"refused", "spark"} & set(case.expected):
            continue
        whose = {row["patient_id"] for row in rows_of(case)} - {""}
        if not whose & known:
            known |= whose
            found.append(case)
    return found


TOGETHER = together()
ALONE = [case for case in TABLES if case not in TOGETHER]


def test_plain_tables_together(
    session: SparkSession, trained: Trained, plain: Any, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    rows = [row for case in TOGETHER for row in rows_of(case)]
    write(rows, source := tmp_path / "together.csv")
    found, before = scored(session, source, trained), 0
    for case in TOGETHER:
        numbers = range(1, len(rows_of(case)) + 1)
        own = {number: numbered_from(before, found[before + number]) for number in numbers}
        before += len(numbers)
        with subtests.test(str(case)):
            require_rows(case, own, plain, trained.pack.predictor)


def numbered_from(before: int, found: Found) -> Found:
    """The same, its rows counted from where the table of the case begins."""
    return replace(found, text=re.sub(r"\brow (\d+)", lambda row: f"row {int(row[1]) - before}", found.text))


@pytest.mark.parametrize("case", ALONE, ids=str)
def test_tables(
    case: Case, session: SparkSession, shipped: ShippedPack, trained: Trained, plain: Any, tmp_path: Path
) -> None:
    source = written(case, tmp_path, "csv" if "csv" in case.routes else "parquet")
    mapping = mapping_of(case, tmp_path)
    told = case.expected.get("spark", case.expected.get("refused"))
    if told is None:
        require_rows(case, answered(session, source, mapping, shipped), plain, trained.pack.predictor)
        return
    with pytest.raises((ScoringFault, MappingError, PySparkException, Py4JError)) as raised:
        answered(session, source, mapping, shipped)
    ours = isinstance(raised.value, ScoringFault | MappingError)
    assert told in (str(raised.value) if ours else told_by_task(raised.value))
