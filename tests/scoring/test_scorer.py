"""Rows answered many at a time say what one record at a time is told, to the last bit and word."""

from __future__ import annotations

from datetime import date

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest

from features.mapping import ColumnMapping, Source
from features.parse import parse_record
from features.table import Row, absent, patients
from model.answer import render
from model.golden import golden_records
from model.predictor import Predictor
from scoring.chunk import RecordChunk, TableChunk
from scoring.scored import Scored
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings
from tests.conftest import Trained
from tests.proof.random_patients import TODAY as RANDOM_DAY
from tests.proof.random_patients import RandomPatients
from tests.scoring.counted import codes, outcomes
from tests.scoring.odd_cells import spoil
from tests.scoring.single_way import as_columns, single_answers

KEYS = ("patient_id", "months_since_onset")
TODAY = date(2026, 6, 1)
SETTINGS = ScoreSettings("top5", 0.9, TODAY)


def arrow_column(cells: list[object]) -> pa.Array:
    """Numbers as numbers; a column with anything else in it as text, as a CSV file has it."""
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if absent(cell) else str(cell) for cell in cells], pa.string())


def as_table(rows: list[Row]) -> pa.Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: arrow_column([row.get(name) for row in rows]) for name in columns})


def records_of(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): cell for key, cell in row.items()} for row in frame.to_dict("records")]


def score(predictor: Predictor, table: pa.Table, mapping: ColumnMapping | None = None) -> Scored:
    scorer = Scorer(predictor, mapping or ColumnMapping(), SETTINGS, pa.string())
    return scorer.score(TableChunk(np.arange(1, table.num_rows + 1), table))


def said(scored: Scored, expected: dict[int, dict[str, object]]) -> dict[int, dict[str, object]]:
    """By number of the row, what was said of it: the columns that are expected, and any number that is too many."""
    found = {row["row"]: row for table in (scored.answers, scored.rejects) for row in table.to_pylist()}
    assert len(found) == scored.answers.num_rows + scored.rejects.num_rows
    return {
        number: {
            name: cell
            for name, cell in row.items()
            if name in expected[number] or (row.get("outcome") == "abstained" and is_a_number(name, cell))
        }
        for number, row in found.items()
    }


def is_a_number(name: str, cell: object) -> bool:
    return isinstance(cell, float) and name not in KEYS


def test_visits_of_patients_in_any_order(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    frame = reference_frame.sample(frac=1.0, random_state=3).head(250)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    expected = single_answers(predictor, table.to_pylist(), TODAY)
    assert said(score(predictor, table), expected) == expected


def test_one_row_a_patient(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    frame = reference_frame.drop(columns="patient_id").head(150)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    expected = single_answers(predictor, table.to_pylist(), TODAY)
    assert said(score(predictor, table), expected) == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("alone", [True, False])
def test_what_is_wrong_or_strange(
    predictor: Predictor, reference_frame: pd.DataFrame, seed: int, alone: bool
) -> None:
    rng = np.random.default_rng(seed)
    frame = reference_frame.sample(160, random_state=seed)
    rows = [spoil(row, rng) if rng.random() < 0.7 else dict(row) for row in records_of(frame)]
    if alone:
        rows = [{**row, "patient_id": None} for row in rows]
    table = as_table(rows)
    expected = single_answers(predictor, table.to_pylist(), TODAY)
    assert said(score(predictor, table), expected) == expected


def test_all_cells_as_text(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(9)
    rows = [spoil(row, rng) if rng.random() < 0.4 else dict(row) for row in records_of(reference_frame.head(120))]
    table = as_table(rows)
    texts = pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
    expected = single_answers(predictor, texts.to_pylist(), TODAY)
    assert said(score(predictor, texts), expected) == expected


def test_visits_by_date(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    frame = reference_frame.head(150).copy()
    onset = pd.Timestamp("2023-02-11")
    frame["visit_date"] = onset + pd.to_timedelta((frame["months_since_onset"] * 30.4375).round(), unit="D")
    frame["onset_date"] = onset.date()
    frame = frame.drop(columns="months_since_onset")
    texts = frame.astype({"visit_date": "str", "onset_date": "str"})
    born = texts.drop(columns="age_years").assign(birth_date="1961-04-02")
    roughly = texts.assign(
        onset_date=frame["patient_id"].map(lambda name: ("2023-02", "2022")[int(name[-1], 36) % 2])
    )
    for dates in (frame, born, born.assign(birth_date="1961"), born.assign(age_years=63.0), roughly, texts):
        table = pa.Table.from_pandas(dates, preserve_index=False)
        scored = score(predictor, table)
        expected = single_answers(predictor, table.to_pylist(), TODAY)
        assert said(scored, expected) == expected
        assert scored.answers.num_rows > 50
    assert codes(scored)["future_visit"] > 0  # some of them are after the day asked for


def test_headers_units_and_codes_of_a_mapping(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    frame = reference_frame.head(120)
    crp = frame["crp_mg_l"] / 10.0
    clinic = pd.DataFrame(
        {
            "ID": frame["patient_id"],
            "to_first": frame["months_since_onset"] - 1.0,
            "since_first": 1.0,
            "Sex": frame["sex"].map({"female": "F", "male": "M"}).where(frame.index != 5, "X"),
            "CRP": crp.round(4),
            "bulbar": (frame["onset_site"] == "bulbar").astype(int),
            "spinal": (frame["onset_site"] == "spinal").astype(int).where(frame.index != 7, 2),
            "score": frame["alsfrs_r_total"],
            "NfL": frame["nfl_pg_ml"],
        }
    )
    mapping = ColumnMapping(
        sources={
            "patient_id": Source(("ID",)),
            "months_since_onset": Source(("to_first", "since_first"), is_sum=True),
            "sex": Source(("Sex",), values={"F": "female", "M": "male"}),
            "onset_site": Source(("bulbar", "spinal"), flags={"bulbar": "bulbar", "spinal": "spinal"}),
            "crp_mg_l": Source(("CRP",), "mg/dL"),
            "alsfrs_r_total": Source(("score",)),
            "nfl_pg_ml": Source(("NfL",)),
        }
    )
    table = pa.Table.from_pandas(clinic, preserve_index=False)
    scored = score(predictor, table, mapping)
    words = [
        {
            "patient_id": row["ID"],
            "months_since_onset": row["to_first"] + row["since_first"],
            "sex": {"F": "female", "M": "male"}.get(row["Sex"], row["Sex"]),
            "onset_site": "spinal is 2" if row["spinal"] == 2 else onset_site,
            "crp_mg_l": row["CRP"],
            "alsfrs_r_total": row["score"],
            "nfl_pg_ml": row["NfL"],
        }
        for row, onset_site in zip(table.to_pylist(), frame["onset_site"], strict=True)
    ]
    expected = single_answers(predictor, words, TODAY, mapping.units)
    assert said(scored, expected) == expected
    assert codes(scored)["unknown_value"] > 0


def test_records_of_ndjson_are_told_what_the_service_tells(predictor: Predictor) -> None:
    records = golden_records(predictor.matrix, predictor.applicability)
    lines = [orjson.dumps({**record, "reference": f"A-{at}"}) for at, record in enumerate(records)]
    lines += [b"", b"{", b'{"visits": [], "visits": []}', b"[1]", b"\xff", lines[0][:-1] + b', "age": 61}']
    scorer = Scorer(predictor, ColumnMapping(), SETTINGS, pa.string())
    scored = scorer.score(RecordChunk(np.arange(1, len(lines) + 1), lines))
    answers = scored.answers.to_pylist()
    assert [answer["patient_id"] for answer in answers] == [f"A-{at}" for at in range(len(records))]
    for record, answer in zip(records, answers, strict=True):
        expected = as_columns(render(predictor.predict(parse_record(record, today=TODAY))))
        assert {name: answer[name] for name in expected} == expected
    rejects = scored.rejects.to_pylist()
    assert [reject["row"] for reject in rejects] == list(range(len(records) + 1, len(lines) + 1))
    assert rejects[1]["codes"] == "malformed_json"
    assert "age" in rejects[-1]["problems"]


def test_random_records_of_the_whole_vocabulary(trained: Trained) -> None:
    predictor, drawn = trained.pack.predictor, RandomPatients(trained.pack_folder, seed=5)
    records = [drawn.record(number) for number in range(400)]
    scorer = Scorer(predictor, ColumnMapping(), ScoreSettings("top5", 0.9, RANDOM_DAY), pa.string())
    scored = scorer.score(RecordChunk(np.arange(1, 401), [orjson.dumps(record) for record in records]))
    answers = {answer["row"]: answer for answer in scored.answers.to_pylist()}
    assert len(answers) == 400
    for number, record in enumerate(records, start=1):
        parsed = parse_record(record, today=RANDOM_DAY)
        expected = as_columns(render(predictor.predict(parsed)))
        expected |= {"months_since_onset": parsed.index_visit.month, "patient_id": parsed.reference}
        assert {name: answers[number][name] for name in expected} == expected
    assert {"prediction_with_cautions", "abstained"} <= set(outcomes(scored))
    assert {"not_comparable", "beyond_limit", "stale_input", "not_an_input"} <= set(codes(scored))


def test_rows_that_are_no_rows(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(reference_frame.head(0), preserve_index=False)
    scored = score(predictor, table)
    assert scored.answers.num_rows == scored.rejects.num_rows == 0
    odd = pa.table({"ward": ["a", "b"]})  # nothing of it is known: each row says so
    assert score(predictor, odd).rejects["codes"].to_pylist() == ["visit_time", "visit_time"]


@pytest.mark.parametrize("explain", ["none", "top5", "all"])
def test_contributions_as_they_are_asked_for(
    predictor: Predictor, reference_frame: pd.DataFrame, explain: str
) -> None:
    table = pa.Table.from_pandas(reference_frame.head(30), preserve_index=False)
    settings = ScoreSettings(explain, 0.8, TODAY)  # type: ignore[arg-type]
    scorer = Scorer(predictor, ColumnMapping(), settings, pa.string())
    answers = scorer.score(TableChunk(np.arange(30, 0, -1), table)).answers
    assert answers.schema == scorer.answer_schema
    assert answers["row"].to_pylist() == sorted(answers["row"].to_pylist())
    rows = table.to_pylist()
    designs = {
        30 - position: predictor.matrix.row(patient.record.until(visit))
        for patient in patients(rows)
        for visit, position in enumerate(patient.rows)
        if patient.record is not None
    }
    for answer in answers.to_pylist():
        if answer["outcome"] == "abstained":
            continue
        distribution, shares = predictor.fitted.explained(designs[answer["row"]][None])
        lower, upper = distribution.interval(0.8)[0]
        assert (answer["interval_lower"], answer["interval_upper"]) == (lower, upper)
        if explain == "all":
            given = [answer[f"contribution_{column}"] for column in predictor.matrix.columns]
            assert [*given, answer["base_value"]] == shares[0].tolist()
            assert sum([*given, answer["base_value"]]) == answer["progression_rate"]
