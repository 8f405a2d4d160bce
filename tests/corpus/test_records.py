"""Every record on every route that takes it: the same outcome, codes and numbers, and those that are expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.table import patients
from model.answer import NUMBERS, render
from model.predictor import Predictor
from tests.conftest import Trained
from tests.corpus.cases import OF_THE_PACK, Case, Found, as_rows, as_texts
from tests.corpus.routes import RECORDS, Answers, by_case, of_answer, of_rows, scored
from training.cohort_table import read_cohort_table
from training.scoring import score_table

AS_TABLE = [case for case in RECORDS if "table" in case.routes]
BATCH = 100


@pytest.fixture(scope="module")
def over_http(caller: httpx.Client) -> Answers:
    found = []
    for case in RECORDS:
        response = caller.post("/v1/predict", json=case.given["record"])
        assert response.status_code in (200, 422), response.text
        found.append({"outcome": "rejected"} | response.json())
    return by_case(found)


@pytest.fixture(scope="module")
def in_a_batch(caller: httpx.Client) -> Answers:
    found: list[Any] = []
    for start in range(0, len(RECORDS), BATCH):
        some = [case.given["record"] for case in RECORDS[start : start + BATCH]]
        response = caller.post("/v1/predict/batch", json={"records": some})
        assert response.status_code == 200, response.text
        found += response.json()["answers"]
    return by_case(found)


def lines() -> bytes:
    """All records, a line each."""
    return b"".join(json.dumps(case.given["record"]).encode() + b"\n" for case in RECORDS)


@pytest.fixture(scope="module")
def streamed(caller: httpx.Client) -> Answers:
    kind = {"content-type": "application/x-ndjson"}
    response = caller.post("/v1/predict/batch", content=lines(), headers=kind)
    assert response.status_code == 200, response.text
    *answers, end = map(json.loads, response.content.splitlines())
    assert end["complete"]
    return by_case(answers)


@pytest.fixture(scope="module")
def in_a_file(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    source = tmp_path_factory.mktemp("records") / "records.ndjson"
    source.write_bytes(lines())
    rows = of_rows(scored(source, trained.pack_folder))
    return {str(case): rows[row] for row, case in enumerate(RECORDS, start=1)}


@pytest.fixture(scope="module")
def records(over_http: Answers, in_a_batch: Answers, streamed: Answers, in_a_file: Answers) -> dict[str, Answers]:
    return {"predict": over_http, "batch": in_a_batch, "stream": streamed, "file": in_a_file}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The records that can be tables, as one: a row a visit."""
    return [row for case in AS_TABLE for row in as_rows(str(case), case.given["record"])]


def typed(column: list[str | None]) -> pa.Array:
    """Numbers where all cells are numbers, else text."""
    texts = pa.array(column, pa.string())
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return texts


def in_a_table(form: str, rows: list[dict[str, str]], trained: Trained, folder: Path) -> Answers:
    """Through ``tregcast score``: what was said of the last row of each patient, which is the record."""
    source = folder / form.replace(".", "/table.")
    source.parent.mkdir(exist_ok=True)
    write(rows, source)
    found = of_rows(scored(source, trained.pack_folder))
    return {row["patient_id"]: found[number] for number, row in enumerate(rows, start=1)}


def write(rows: list[dict[str, str]], source: Path) -> None:
    """A table of text, as CSV or Parquet, or one whose columns of numbers are numbers."""
    columns = as_texts(rows)
    if source.suffix == ".csv":
        pd.DataFrame(columns).to_csv(source, index=False)
    elif source.parent.name == "texts":
        pq.write_table(pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()}), source)
    else:
        pq.write_table(pa.table({name: typed(cells) for name, cells in columns.items()}), source)


def by_score_table(frame: pd.DataFrame, predictor: Predictor) -> Answers:
    """The function behind the MLflow model."""
    answers = score_table(predictor, frame).to_dict("records")
    return {
        patient: Found(
            said["outcome"],
            frozenset(said["reasons"].split()),
            tuple(said[name] for name in NUMBERS) if said["outcome"].startswith("prediction") else (),
            said["answer"],
        )
        for patient, said in zip(frame["patient_id"], answers, strict=True)
    }


def by_training(source: Path, predictor: Predictor) -> Answers:
    """What training reads of a file: the record of each patient, answered, or why there is none."""
    table = read_cohort_table(source)
    found = {}
    for patient in patients(table.rows, table.mapping.units):
        if patient.record is None:
            told = [{"code": problem.code} for problem in patient.problems]
            found[patient.patient_id] = of_answer({"outcome": "rejected", "problems": told})
        else:
            found[patient.patient_id] = of_answer(render(predictor.predict(patient.record)))
    return found


@pytest.fixture(scope="module")
def tables(
    rows: list[dict[str, str]], trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Answers]:
    """The same as tables, as text and as numbers."""
    folder, columns, predictor = tmp_path_factory.mktemp("tables"), as_texts(rows), trained.pack.predictor
    forms = ("text.csv", "texts.parquet", "numbers.parquet")
    found = {form: in_a_table(form, rows, trained, folder) for form in forms}
    found |= {f"training {form}": by_training(folder / form.replace(".", "/table."), predictor) for form in forms}
    texts = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    numbers = pa.table({name: typed(cells) for name, cells in columns.items()}).to_pandas()
    return found | {
        "score_table of text": by_score_table(texts, predictor),
        "score_table of numbers": by_score_table(numbers, predictor),
    }


def differences(name: str, wanted: Found, routes: Mapping[str, Answers]) -> dict[str, Found]:
    """What other routes say, where it is not what is wanted."""
    return {route: found[name] for route, found in routes.items() if found[name].differs_from(wanted)}


def require_expected(case: Case, found: Found) -> None:
    """The outcome and the codes are those of the case, apart from cautions that hang on the pack."""
    expected = case.expected
    codes = set(expected["codes"])
    assert found.outcome == expected["outcome"], found
    assert found.codes - (OF_THE_PACK - codes) == codes
    assert expected.get("words", "") in found.text


@pytest.mark.parametrize("case", RECORDS, ids=str)
def test_records_are_answered_alike(case: Case, alone: Answers, records: dict[str, Answers]) -> None:
    require_expected(case, alone[str(case)])
    assert differences(str(case), alone[str(case)], records) == {}
    for route, found in records.items():
        if found[str(case)].text:  # a file of answers names the cautions by their codes
            assert case.expected.get("words", "") in found[str(case)].text, route


@pytest.mark.parametrize("case", AS_TABLE, ids=str)
def test_tables_are_answered_as_records(case: Case, alone: Answers, tables: dict[str, Answers]) -> None:
    routes = {
        route: found for route, found in tables.items() if "training" in case.routes or "training" not in route
    }
    assert differences(str(case), alone[str(case)], routes) == {}
