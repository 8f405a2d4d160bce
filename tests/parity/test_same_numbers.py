"""Whatever route a record takes, the same pack gives the same numbers, to the last digit.

The routes: the predictor in this process; the service over HTTP, in a process of its own; the pyfunc that MLflow
loads from the registry; the command.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pandas as pd
import pytest

from features.compose import compose
from features.parse import parse_record
from features.table import patients
from model.answer import render

COMMAND = Path(sys.executable).with_name("tregcast")
RECORDS = 40


@pytest.fixture(scope="module")
def address(trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service on the trained pack, started as a user starts it."""
    folder = tmp_path_factory.mktemp("service")
    log = folder / "stdout"
    with log.open("wb") as output:
        command = [str(COMMAND), "serve", "--pack", str(trained.pack_folder), "--port", "0", "--admin-port", "0"]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            deadline = time.monotonic() + 30
            while "ready on " not in log.read_text():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield log.read_text().rpartition("ready on ")[2].strip()
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture(scope="module")
def table(reference_frame: pd.DataFrame) -> pd.DataFrame:
    """All visits of the first patients, censored values among them."""
    chosen = reference_frame["patient_id"].drop_duplicates().head(RECORDS)
    return reference_frame[reference_frame["patient_id"].isin(chosen)].reset_index(drop=True)


@pytest.fixture(scope="module")
def expected(trained, table: pd.DataFrame) -> dict[int, tuple[dict[str, object], dict[str, object]]]:
    """By row of the table: the record as of that visit, as JSON, and what the predictor of the pack answers."""
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    found = {}
    for patient in patients(rows):
        assert patient.record is not None, patient.problems
        for visit, position in enumerate(patient.rows):
            record = patient.record.until(visit)
            found[position] = (compose(record), render(trained.pack.predictor.predict(record)))
    return found


def test_the_table_holds_what_can_differ(expected, table: pd.DataFrame) -> None:
    outcomes = {answer["outcome"] for _, answer in expected.values()}
    assert {"prediction", "prediction_with_cautions"} <= outcomes
    assert any(len(record["visits"]) > 1 for record, _ in expected.values())
    assert table.filter(like="_comparator").notna().any().any()


def test_http_gives_the_numbers_of_the_pack(expected, address: str) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        for record, answer in expected.values():
            reply = client.post("/v1/predict", json=record)
            assert reply.status_code == 200, reply.text
            assert reply.json() == json.loads(json.dumps(answer))  # floats are equal to the last bit or not at all


def test_the_pyfunc_gives_the_numbers_of_the_pack(trained, expected, table: pd.DataFrame) -> None:
    import mlflow

    mlflow.set_tracking_uri(trained.run.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{trained.run.version.name}@champion")
    scored = model.predict(table.drop(columns=["provenance"]))
    assert len(scored) == len(table)
    for position, (_, answer) in expected.items():
        row = scored.iloc[position]
        assert json.loads(row["answer"]) == json.loads(json.dumps(answer))
        if answer["outcome"] == "abstained":
            assert pd.isna(row["progression_rate"])
            continue
        interval, bands = answer["prediction_interval"], answer["band_probabilities"]
        assert row["progression_rate"] == answer["progression_rate"]
        assert (row["interval_lower"], row["interval_upper"]) == (interval["lower"], interval["upper"])
        assert [row[f"probability_{band}"] for band in bands] == list(bands.values())


def test_a_row_alone_is_a_row_among_others(trained, expected, table: pd.DataFrame) -> None:
    import mlflow

    mlflow.set_tracking_uri(trained.run.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{trained.run.version.name}@champion")
    shuffled = table.drop(columns=["provenance"]).sample(frac=1.0, random_state=3)
    scored = model.predict(shuffled)
    for position, row in zip(shuffled.index, scored["answer"], strict=True):
        assert json.loads(row) == json.loads(json.dumps(expected[position][1]))


def test_the_command_gives_the_numbers_of_the_pack(trained, expected, address: str, tmp_path: Path) -> None:
    record, answer = next((r, a) for r, a in expected.values() if a["outcome"] == "prediction")
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record), "utf-8")
    for where in (["--pack", str(trained.pack_folder)], ["--url", address]):
        command = [str(COMMAND), "predict", str(file), "--json", *where]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == json.loads(json.dumps(answer))


def test_dates_and_months_give_the_same_numbers(trained) -> None:
    score = {"alsfrs_r_total": {"value": 38, "unit": "{score}"}, "crp": {"value": 0.5, "unit": "mg/dL"}}
    again = {"alsfrs_r_total": {"value": 35, "unit": "{score}"}, "crp": {"value": 7.0, "unit": "mg/L"}}
    dated = {
        "onset_date": "2024-01-01",
        "visits": [{"date": "2025-01-01", "measurements": score}, {"date": "2025-04-02", "measurements": again}],
    }
    days = [(date(2025, 1, 1) - date(2024, 1, 1)).days, (date(2025, 4, 2) - date(2024, 1, 1)).days]
    counted = {
        "visits": [
            {"months_since_onset": {"value": day, "unit": "d"}, "measurements": measured}
            for day, measured in zip(days, (score, again), strict=True)
        ]
    }
    first, second = (
        render(trained.pack.predictor.predict(parse_record(body, today=date(2026, 1, 1))))
        for body in (dated, counted)
    )
    assert first == second
