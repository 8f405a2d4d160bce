"""One machine, Spark and HTTP answer the same patients from the same pack: the same to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.batch_rows import write_rows
from features.mapping import ColumnMapping
from features.vocabulary import vocabulary
from model.pack import load_pack
from scoring.runs.run import Job
from scoring.runs.run import run as run_here
from scoring.settings import ScoreSettings
from scoring.spark.run import run as run_on_spark
from tests.conftest import Trained
from tests.proof.random_patients import TODAY, RandomPatients
from tests.proof.scale import scaled
from tests.scoring.single_way import as_columns

pytestmark = pytest.mark.slow
IN_A_BATCH = 100
Answers = dict[int, dict[str, Any]]


def test_records(trained: Trained, launcher: Any, session: SparkSession, tmp_path: Path) -> None:
    """Histories over the whole vocabulary, in any unit, as records."""
    drawn = RandomPatients(trained.pack_folder, seed=17)
    records = [drawn.record(number) for number in range(scaled(5_000, least=150))]
    source = tmp_path / "records.ndjson"
    source.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    require_agreement(trained.pack_folder, source, records, launcher, session, tmp_path)


def test_rows_of_a_table(trained: Trained, launcher: Any, session: SparkSession, tmp_path: Path) -> None:
    """First visits of 40 columns, a row each, with a pattern of missing markers of its own."""
    source = tmp_path / "rows.parquet"
    write_rows(source, scaled(5_000, least=150), None, seed=3)
    records = [as_record(row) for row in pq.read_table(source).to_pylist()]
    require_agreement(trained.pack_folder, source, records, launcher, session, tmp_path)


def as_record(row: dict[str, Any]) -> dict[str, Any]:
    """What a clinic system would send of this row."""
    there = {name: cell for name, cell in row.items() if cell is not None}
    record: dict[str, Any] = {name: there[name] for name in ("sex", "onset_site", "c9orf72") if name in there}
    record["age"] = {"value": there["age_years"], "unit": "a"}
    if there.get("diagnostic_delay_months", 1e9) <= there["months_since_onset"] + 1.0:  # more is refused over HTTP
        record["diagnostic_delay"] = {"value": there["diagnostic_delay_months"], "unit": "mo"}
    made: dict[str, dict[str, object]] = {}
    for quantity in vocabulary().quantities.values():
        if quantity.level == "visit" and quantity.column in there:
            made[quantity.name] = {"value": there[quantity.column], "unit": quantity.unit}
            made[quantity.name] |= {each.name: there[each.name] for each in quantity.qualifiers}
    visit = {"months_since_onset": {"value": there["months_since_onset"], "unit": "mo"}, "measurements": made}
    visit |= {"riluzole": there["riluzole"]} if "riluzole" in there else {}
    return record | {"visits": [visit]}


def require_agreement(
    pack: Path, source: Path, records: list[dict[str, Any]], launcher: Any, session: SparkSession, folder: Path
) -> None:
    expected = over_http(launcher, pack, records)
    assert len({answer["outcome"] for answer in expected.values()}) > 1
    for found in (here(pack, source, folder), on_spark(pack, source, folder, session)):
        assert sorted(found) == sorted(expected)
        for number, answer in expected.items():
            assert {name: found[number][name] for name in answer} == answer


def over_http(launcher: Any, pack: Path, records: list[dict[str, Any]]) -> Answers:
    process, output = launcher.serve(pack)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    found: Answers = {}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for start in range(0, len(records), IN_A_BATCH):
            response = client.post("/v1/predict/batch", json={"records": records[start : start + IN_A_BATCH]})
            assert response.status_code == 200, response.text
            for at, answer in enumerate(response.json()["answers"], start=start + 1):
                found[at] = as_columns(answer)
    process.terminate()
    assert process.wait(30) is not None
    return found


def here(pack: Path, source: Path, folder: Path) -> Answers:
    out = folder / "here.parquet"
    job = Job(
        source,
        out,
        folder / "here.rejects.csv",
        folder / "here.json",
        None,
        "top5",
        0.9,
        TODAY.isoformat(),
        workers=2,
    )
    assert run_here(job, load_pack(pack)).rejected == 0
    return by_row([out])


def on_spark(pack: Path, source: Path, folder: Path, session: SparkSession) -> Answers:
    out = folder / "spark"
    settings = ScoreSettings("top5", 0.9, TODAY)
    run_on_spark(session, str(source), str(out), pack_folder=pack, mapping=ColumnMapping(), settings=settings)
    assert json.loads((out / "summary.json").read_bytes())["rows"]["rejected"] == 0
    return by_row(sorted((out / "answers").glob("*.parquet")))


def by_row(files: list[Path]) -> Answers:
    return {row["row"]: row for row in rows_of(files)}


def rows_of(files: list[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from pq.read_table(file).to_pylist()
