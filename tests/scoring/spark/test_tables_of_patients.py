"""Identifiers, days and misnamed files: Spark reads them as one machine does, or refuses them too."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from features.mapping import ColumnMapping
from scoring.fault import ScoringFault
from scoring.sources.parquet_file import open_parquet
from scoring.spark.columns import KEY, ROW_NUMBER
from scoring.spark.place import making
from scoring.spark.run import reading
from scoring.spark.source import read_source
from scoring.spark.stopped import Stopped, told_by_task
from tests.scoring.sources.test_parquet_source import as_polars_writes_it
from tests.scoring.tables_of_patients import (
    DAYS,
    MISNAMED,
    MIXED,
    NANOSECONDS,
    REFUSED,
    UNKNOWN_DAYS,
    WHOSE,
    Refused,
    Whose,
)
from tests.scoring.test_tables_of_patients import grouped

pytestmark = pytest.mark.slow
ALL_REFUSED = (*REFUSED, *UNKNOWN_DAYS, *MISNAMED)


def rows(session: SparkSession, path: Path, *columns: str) -> list[list[object]]:
    with reading(session):
        frame = read_source(session, str(path), ColumnMapping()).frame
        return [list(row) for row in frame.select(ROW_NUMBER, *columns).orderBy(ROW_NUMBER).collect()]


@pytest.mark.parametrize("case", WHOSE, ids=lambda case: case.name)
def test_whose_each_row_is(case: Whose, session: SparkSession, tmp_path: Path) -> None:
    keys: list[object] = [key for _, key in rows(session, case.write(tmp_path), KEY)]
    assert grouped(keys) == list(case.patients)


@pytest.mark.parametrize(("write", "days"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS])
def test_the_day_is_that_of_the_sender(
    write: object, days: list[date], session: SparkSession, tmp_path: Path
) -> None:
    found = rows(session, write(tmp_path), "_tregcast_2")  # type: ignore[operator]
    assert [str(cell)[:10] for _, cell in found] == [day.isoformat() for day in days]


@pytest.mark.parametrize("case", ALL_REFUSED, ids=lambda case: case.name)
def test_what_is_refused(case: Refused, session: SparkSession, tmp_path: Path) -> None:
    told = refusal(session, case.write(tmp_path))
    assert re.search("Spark|UTF-8" if case.local_only else case.words, told)


@pytest.mark.parametrize("case", MIXED, ids=lambda case: case.name)
def test_types_that_differ_between_files(case: Whose, session: SparkSession, tmp_path: Path) -> None:
    assert "CANNOT_MERGE" in refusal(session, case.write(tmp_path))


@pytest.mark.parametrize("write", [case[1] for case in NANOSECONDS])
def test_nanoseconds_are_refused_where_they_are_used(write: object, session: SparkSession, tmp_path: Path) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    assert re.search("visit_date is a whole number, or an instant in nanoseconds", refusal(session, path))
    table = pq.read_table(path)
    unused = table.rename_columns(["patient_id", "months", "seen", "alsfrs_r_total"])
    pq.write_table(unused.append_column("months_since_onset", pa.array([10.0])), path)
    assert len(rows(session, path)) == 1


def refusal(session: SparkSession, path: Path) -> str:
    """What a run that cannot begin tells."""
    with pytest.raises((ScoringFault, PySparkException, Py4JError)) as raised:
        rows(session, path)
    return str(raised.value) if isinstance(raised.value, ScoringFault) else told_by_task(raised.value)


def test_a_pipe_and_files_of_several_kinds(session: SparkSession, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ScoringFault, match="it is a pipe or a device"):
        rows(session, tmp_path / "pipe.csv")
    (tmp_path / "both").mkdir()
    for name in ("a.csv", "b.NDJSON"):
        (tmp_path / "both" / name).write_text("a\n")
    with pytest.raises(ScoringFault, match="holds files of several kinds"):
        rows(session, tmp_path / "both")
    (tmp_path / "none").mkdir()
    with pytest.raises(ScoringFault, match=r"holds no \.parquet"):
        rows(session, tmp_path / "none")
    (tmp_path / "T.CSV.GZ").write_bytes(b"\x1f\x8b")
    with pytest.raises(ScoringFault, match=r"Spark unpacks what ends in \.gz alone"):
        rows(session, tmp_path / "T.CSV.GZ")


def test_a_folder_as_polars_writes_it(session: SparkSession, tmp_path: Path) -> None:
    """The keys stand in the files, too, and the folders' texts are read."""
    as_polars_writes_it(tmp_path / "in")
    found = rows(session, tmp_path / "in", "_tregcast_3")
    pieces = [piece.table for piece in open_parquet(tmp_path / "in", ColumnMapping()).pieces()]
    here = [cell for table in pieces if table is not None for cell in table["site"].to_pylist()]
    assert [site for _, site in found] == here
    assert {site for _, site in found} == {"007", "north star", None}


def test_a_link_in_the_place_of_the_result_is_refused(session: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(Stopped, match="out is a symbolic link; name the folder itself"),
        making(session, str(tmp_path / "out"), overwrite=True),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()
