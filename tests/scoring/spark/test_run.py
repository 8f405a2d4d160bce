"""Scoring on a real Spark gives what the local scorer gives, to the last bit, or nothing at all."""

from __future__ import annotations

import copy
import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.json as pa_json
import pyarrow.parquet as pq
import pytest
from pandas._libs.parsers import STR_NA_VALUES
from pyspark import SparkFiles
from pyspark.sql import SparkSession

from features.mapping import ColumnMapping, Source
from scoring.chunk import RecordChunk, TableChunk
from scoring.scored import Scored
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings
from scoring.spark.place import making
from scoring.spark.run import READING, run, score_source
from scoring.spark.shipped_pack import ship
from scoring.spark.source import read_source
from scoring.spark.stopped import Stopped, told_by_task
from scoring.summary import Summary
from tests.conftest import Trained
from tests.scoring.counted import codes, outcomes

DAY = "2026-11-23"
SETTINGS = ScoreSettings("top5", 0.9, date.fromisoformat(DAY))
SECRET = "Mary Secret"
pytestmark = pytest.mark.slow
Run = Callable[..., Summary]


@pytest.fixture
def scored(session: SparkSession, trained: Trained) -> Run:
    def with_pack(source: Path, out: Path, **more: Any) -> Summary:
        asked = {"mapping": ColumnMapping(), "settings": SETTINGS, **more}
        return run(session, str(source), str(out), pack_folder=trained.pack_folder, **asked)

    return with_pack


@pytest.fixture(scope="module")
def frame(reference_frame: pd.DataFrame) -> pd.DataFrame:
    """Some 60 patients, their visits all over the file, with rows that are rejected and patients without a name."""
    few = reference_frame["patient_id"].unique()[:60]
    found = reference_frame[reference_frame["patient_id"].isin(few)].sample(frac=1, random_state=3)
    found = found.reset_index(drop=True)
    found["patient_id"] = found["patient_id"].astype(object)
    found.loc[[5, 90], "crp_mg_l"] = 8200.0
    found.loc[17, "sex"] = "unknown"
    found.loc[[40, 41, 42], "patient_id"] = None
    found.loc[found["patient_id"] == few[3], "patient_id"] = SECRET
    return found


def local(trained: Trained, table: pa.Table, settings: ScoreSettings = SETTINGS, **more: Any) -> Scored:
    mapping = more.get("mapping", ColumnMapping())
    names = table.schema.names
    patient_type = table.schema.field("patient_id").type if "patient_id" in names else pa.string()
    scorer = Scorer(trained.pack.predictor, mapping, settings, patient_type)
    rows = more.get("rows", np.arange(1, table.num_rows + 1))
    return scorer.score(TableChunk(rows, table))


def placed(out: Path, kind: str) -> list[dict[str, Any]]:
    return pq.read_table(out / kind).sort_by("row").to_pylist()


def agree(out: Path, wanted: Scored, summary: Summary) -> None:
    assert (out / "summary.json").read_bytes() == summary.to_json()
    agreeing(out, wanted)


def agreeing(out: Path, wanted: Scored) -> None:
    """Row by row, and bit by bit."""
    for kind, table in (("answers", wanted.answers), ("rejects", wanted.rejects)):
        assert pq.read_schema(next((out / kind).glob("*.parquet"))).names == table.schema.names
        got, told = placed(out, kind), table.to_pylist()
        assert len(got) == len(told)
        assert [bits(row) for row in got] == [bits(row) for row in told]
    document = json.loads((out / "summary.json").read_bytes())
    assert {name: count for name, count in document["outcomes"].items() if count} == dict(outcomes(wanted))
    told = Counter[str]()
    for words in ("cautions", "reasons", "problems"):
        told.update(document[words])
    assert told == codes(wanted)
    assert document["rows"]["in"] == wanted.answers.num_rows + wanted.rejects.num_rows
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == [
        *("answers", "rejects", "summary.json")
    ]


def bits(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value.hex() if isinstance(value, float) else value for key, value in row.items()}


def write_folder(frame: pd.DataFrame, folder: Path) -> pa.Table:
    """A folder partitioned by site, two files each in small row groups, and what stands in it, in its order."""
    tables = []
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sites = pa.array(["north", "south 2"] * (len(frame) // 2) + ["north"] * (len(frame) % 2))
    table = table.drop_columns("site").append_column("site", sites)
    for site, name in (("north", "north"), ("south 2", "south%202")):
        place = folder / f"site={name}"
        place.mkdir(parents=True)
        part = table.filter(pa.compute.equal(table["site"], site))
        for number, piece in enumerate((part.slice(0, 70), part.slice(70))):
            pq.write_table(piece.drop_columns("site"), place / f"{number}.parquet", row_group_size=40)
            tables.append(piece)
    return pa.concat_tables(tables)


def test_a_partitioned_folder(scored: Run, trained: Trained, frame: pd.DataFrame, tmp_path: Path) -> None:
    table = write_folder(frame, tmp_path / "in")
    summary = scored(tmp_path / "in", tmp_path / "out")
    wanted = local(trained, table)
    assert wanted.rejects.num_rows > 3
    agree(tmp_path / "out", wanted, summary)
    assert summary.input["input_files"] == 4


def test_each_row_a_patient_with_all_contributions_and_a_mapping(
    scored: Run, trained: Trained, frame: pd.DataFrame, tmp_path: Path
) -> None:
    table = pa.Table.from_pandas(frame.drop(columns="patient_id"), preserve_index=False)
    names = ["Month (.)" if name == "months_since_onset" else name for name in table.schema.names]
    table = table.rename_columns(names)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=50)
    known = ("sex", "onset_site", "age_years", "alsfrs_r_total", "crp_mg_l", "nfl_pg_ml", "fvc_pct")
    sources = {name: Source((name,)) for name in known} | {"months_since_onset": Source(("Month (.)",))}
    mapping = ColumnMapping(sources=sources)
    settings = replace(SETTINGS, explain="all", coverage=0.8)
    summary = scored(tmp_path / "in.parquet", tmp_path / "out", mapping=mapping, settings=settings)
    wanted = local(trained, table, settings, mapping=mapping)
    assert wanted.answers.num_rows > 0.9 * table.num_rows
    agree(tmp_path / "out", wanted, summary)


def test_csv_with_odd_cells_and_ragged_rows(
    scored: Run, trained: Trained, frame: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frame = frame.astype(object).where(frame.notna(), None)
    frame.loc[7, "crp_mg_l"] = "<0.3"
    frame.loc[8, "crp_mg_l"] = "3,5"
    for number, piece in enumerate((frame.iloc[:100], frame.iloc[100:])):
        piece.to_csv(folder / f"{number}.csv", index=False)
    first = folder / "0.csv"
    lines = first.read_text("utf-8").split("\n")
    lines[3:3] = ["", "   "]  # two lines that are no rows
    lines.insert(30, f"{SECRET},1,2")
    lines[1] = lines[1] + ","
    first.write_text("﻿" + "\r\n".join(lines), "utf-8")

    summary = scored(folder, tmp_path / "out")
    wanted, ragged = cells_of(folder)
    assert [row for row, _ in ragged] == [1, 28]
    expected = local(trained, wanted.drop_columns("_row"), rows=wanted["_row"].to_numpy())
    told = [
        f"row {row} has {fields} fields, the header {len(frame.columns)}; put a text with a comma in quotation "
        "marks, and a point into numbers"
        for row, fields in ragged
    ]
    columns = [[row for row, _ in ragged], [None, None], ["ragged_row"] * 2, told]
    more = pa.table(columns, expected.rejects.schema)
    rejects = pa.concat_tables([expected.rejects, more]).sort_by("row")
    agree(tmp_path / "out", Scored(expected.answers, rejects), summary)


def cells_of(folder: Path) -> tuple[pa.Table, list[tuple[int, int]]]:
    """The cells of CSV files as Python's own reader sees them, and the rows that are ragged."""
    rows: list[list[str | int | None]] = []
    ragged: list[tuple[int, int]] = []
    number = 0
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            for line in reader:
                if not any(cell.strip() for cell in line):
                    continue
                number += 1
                if len(line) != len(header):
                    ragged.append((number, len(line)))
                else:
                    rows.append([None if cell in STR_NA_VALUES else cell for cell in line] + [number])
    columns = [pa.array(cells, pa.string()) for cells in list(zip(*rows, strict=True))[:-1]]
    return pa.table([*columns, pa.array([row[-1] for row in rows])], [*header, "_row"]), ragged


def test_records(scored: Run, trained: Trained, tmp_path: Path) -> None:
    example = json.loads((Path(__file__).parents[3] / "examples" / "patient.json").read_bytes())
    lines: list[bytes] = []
    for number in range(90):
        record = copy.deepcopy(example)
        record["reference"] = f"r{number}"
        if number % 10 == 3:
            record["visits"][-1]["measurements"]["crp"] = {"value": 1e9, "unit": "mg/L"}
        lines.append(orjson.dumps(record) if number % 10 != 7 else b'{"reference": "r", ' + SECRET.encode())
    (tmp_path / "in.ndjson").write_bytes(b"\xef\xbb\xbf" + b"\n\n".join(lines) + b"\r\n")
    summary = scored(tmp_path / "in.ndjson", tmp_path / "out")
    scorer = Scorer(trained.pack.predictor, ColumnMapping(), SETTINGS, pa.string())
    wanted = scorer.score(RecordChunk(np.arange(1, 91), lines))
    assert (wanted.answers.num_rows, wanted.rejects.num_rows) == (72, 18)
    agree(tmp_path / "out", wanted, summary)


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_numbers_survive_in_text(
    scored: Run, trained: Trained, frame: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    table = pa.Table.from_pandas(frame.iloc[:40], preserve_index=False)
    pq.write_table(table, tmp_path / "in.parquet")
    out = tmp_path / f"out.{ending}"
    scored(tmp_path / "in.parquet", out)
    wanted = local(trained, table)
    for kind, told in (("answers", wanted.answers), ("rejects", wanted.rejects)):
        rows = []
        for part in sorted((out / kind).glob("part-*")):
            if ending == "csv":
                with part.open(encoding="utf-8", newline="") as file:
                    rows += list(csv.DictReader(file))
            elif part.stat().st_size:
                rows += pa_json.read_json(part).to_pylist()
        rows.sort(key=lambda row: int(row["row"]))
        assert len(rows) == told.num_rows
        for got, row in zip(rows, told.to_pylist(), strict=True):
            for name, value in row.items():
                cell = got.get(name) or None
                same = float(cell).hex() == value.hex() if isinstance(value, float) else cell == text(value, ending)
                assert same, (name, cell, value)


def text(value: object, ending: str) -> object:
    return None if value in {None, ""} else str(value) if ending == "csv" else value


@pytest.mark.parametrize("where", ["sent", "unpacked"])
def test_a_pack_that_changed_on_the_way_stops_the_job(
    session: SparkSession, trained: Trained, frame: pd.DataFrame, tmp_path: Path, where: str
) -> None:
    """Before it is sent, or where an executor has unpacked it and no worker has loaded it yet."""
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    folder = tmp_path / "pack"
    shutil.copytree(trained.pack_folder, folder)
    if where == "sent":
        spoil(folder / "calibration.json")
    shipped = ship(session, folder, trained.pack.id)
    if where == "unpacked":
        session.sparkContext.parallelize([1, 2], 2).count()  # the executor unpacks before its first task
        spoil(Path(SparkFiles.get(shipped.name)) / "calibration.json")
    with pytest.raises(Exception, match=r"calibration\.json: its sha256 is not the one") as told:  # noqa: PT012, SIM117
        with making(session, str(tmp_path / "out"), overwrite=False) as place:
            read = read_source(session, str(tmp_path / "in.parquet"), ColumnMapping())
            score_source(read, place, trained.pack, shipped, mapping=ColumnMapping(), settings=SETTINGS)
    assert told_by_task(told.value) == "calibration.json: its sha256 is not the one in the manifest"
    assert_nothing_left(tmp_path, "in.parquet", "pack")


def spoil(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def test_a_row_that_is_lost_leaves_no_result(
    session: SparkSession, trained: Trained, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.iloc[:20].to_parquet(tmp_path / "in.parquet", index=False)
    shipped = ship(session, trained.pack_folder, trained.pack.id)
    with pytest.raises(Stopped, match="20 rows were read, but 19 answered or rejected"):  # noqa: PT012, SIM117
        with making(session, str(tmp_path / "out"), overwrite=False) as place:
            read = read_source(session, str(tmp_path / "in.parquet"), ColumnMapping())
            less = replace(read, frame=read.frame.where("_tregcast_row != 7"))
            score_source(less, place, trained.pack, shipped, mapping=ColumnMapping(), settings=SETTINGS)
    assert_nothing_left(tmp_path, "in.parquet")


def test_what_is_there_is_replaced_only_when_told(scored: Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.iloc[:10].to_parquet(tmp_path / "in.parquet", index=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("mine", "utf-8")
    with pytest.raises(Stopped, match="is there already"):
        scored(tmp_path / "in.parquet", tmp_path / "out")
    assert (tmp_path / "out" / "kept").read_text("utf-8") == "mine"
    scored(tmp_path / "in.parquet", tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out" / "kept").exists()
    assert_nothing_left(tmp_path, "in.parquet", "out")


def test_a_result_that_came_meanwhile_is_kept(session: SparkSession, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Stopped, match="is there already"), making(session, str(out), overwrite=False) as place:  # noqa: PT012
        out.mkdir()
        (out / "summary.json").write_text("of another run", "utf-8")
        place.finish(b"ours")
    assert (out / "summary.json").read_text("utf-8") == "of another run"
    assert_nothing_left(tmp_path, "out")


def test_a_misspelt_header_is_named_or_stops_the_job(scored: Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    spoilt = frame.drop(columns="provenance").rename(columns={"nfl_pg_ml": "NfL_pg_ml"}).assign(ward="x")
    spoilt.to_csv(tmp_path / "in.csv", index=False)
    spoilt.to_parquet(tmp_path / "in.parquet", index=False)
    for name in ("in.csv", "in.parquet"):
        heard: list[str] = []
        with pytest.raises(Stopped, match=r"header 'NfL_pg_ml' is no column .* is like nfl_pg_ml.*\(--strict\)"):
            scored(tmp_path / name, tmp_path / "out", strict=True)
        assert_nothing_left(tmp_path, "in.csv", "in.parquet")
        summary = scored(tmp_path / name, tmp_path / "out", named=lambda found: heard.extend(found.lines()))  # noqa: B023
        assert summary.headers is not None
        assert summary.headers.near == {"NfL_pg_ml": ("nfl_pg_ml",)}
        assert summary.headers.not_read == ("NfL_pg_ml", "ward")
        assert heard[-1].startswith("Warning: header 'NfL_pg_ml'")
        document = json.loads((tmp_path / "out" / "summary.json").read_bytes())
        assert document["headers"]["near"] == {"NfL_pg_ml": ["nfl_pg_ml"]}
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("in.parquet", lambda data: data[: len(data) // 2], r"Spark: .*in\.parquet"),
        ("in.parquet", lambda data: data[:4] + b"\xff" * 2000 + data[2004:], r"in\.parquet|Spark ended"),
        ("in.csv", lambda data: data.replace(b"\n", b'\n"', 40), "a quotation mark is not closed"),
        ("in.csv", lambda data: data.rstrip() + b'\n"x"y' + b"," * 40 + b"\n", "text stands after the mark"),
        ("in.csv", lambda data: data.replace(b",", b";"), "separated by semicolons"),
        ("in.csv", lambda data: data.decode().encode("utf-16"), "UTF-16"),
        ("in.csv", lambda data: data.replace(b"months_since_onset", b"month"), "no column months_since_onset"),
        ("in.csv", lambda data: b"", "is empty"),
        ("in.txt", lambda data: data, "no .parquet, .csv or .ndjson"),
    ],
)
def test_what_cannot_be_read_leaves_nothing(
    scored: Run,
    frame: pd.DataFrame,
    tmp_path: Path,
    name: str,
    spoil: Callable[[bytes], bytes],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path, index=False)
    else:
        frame.drop(columns="provenance").to_csv(path, index=False)  # which has commas, so quotation marks
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(Stopped, match=words) as told:
        scored(path, tmp_path / "out")
    assert SECRET not in str(told.value)
    captured = capfd.readouterr()
    assert SECRET not in captured.out + captured.err  # Spark's log
    assert_nothing_left(tmp_path, name)


def test_all_that_is_wrong_with_the_headers_is_told(scored: Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    both = Source(("patient_id", "site"))
    mapping = ColumnMapping(sources={"months_since_onset": Source(("Monat",)), "patient_id": both})
    told = r"in\.parquet: the mapping names Monat, but the file has .*; the mapping makes patient_id of several"
    with pytest.raises(Stopped, match=told):
        scored(tmp_path / "in.parquet", tmp_path / "out", mapping=mapping)
    with pytest.raises(Stopped, match="PATH_NOT_FOUND"):
        scored(tmp_path / "nowhere.parquet", tmp_path / "out")


def test_the_session_is_left_as_it_was(scored: Run, session: SparkSession, tmp_path: Path) -> None:
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    before = {name: session.conf.get(name, None) for name in READING}
    with pytest.raises(Stopped):
        scored(tmp_path / "nowhere.parquet", tmp_path / "out")
    assert {name: session.conf.get(name, None) for name in READING} == before


def assert_nothing_left(folder: Path, *names: str) -> None:
    """Not even a hidden folder."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
