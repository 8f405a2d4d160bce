"""What did not enter an answer is named alike of a record, in a file of records and in a table."""

from __future__ import annotations

from datetime import date

import numpy as np
import orjson
import pyarrow as pa
import pytest

from features.mapping import ColumnMapping
from features.parse import parse_record
from features.vocabulary import vocabulary
from model.answer import Prediction
from model.predictor import Predictor
from scoring.chunk import RecordChunk, TableChunk
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings

TODAY = date(2026, 11, 30)
SETTINGS = ScoreSettings("top5", 0.9, TODAY)
OF_USE = (
    "not_an_input",
    "diagnosis_after_visit",
    "earlier_not_used",
    "limit_not_in_change",
    "change_over_short_span",
)
Made = dict[str, object]
Visits = list[tuple[float, dict[str, object]]]  # month, and by quantity (or riluzole) a value in the canonical unit

NO_CHANGE: Visits = [(14.0, {"alsfrs_r_total": 40}), (20.0, {"alsfrs_r_total": 36})]
CASES: dict[str, tuple[Visits, Made, set[str]]] = {
    "two visits far apart": (NO_CHANGE, {}, set()),
    "28 days": ([(19.08, {"alsfrs_r_total": 39}), (20.0, {"alsfrs_r_total": 36})], {}, {"change_over_short_span"}),
    "a day": ([(19.967, {"alsfrs_r_total": 46}), (20.0, {"alsfrs_r_total": 36})], {}, {"change_over_short_span"}),
    "41 days": ([(18.653, {"alsfrs_r_total": 39}), (20.0, {"alsfrs_r_total": 36})], {}, set()),
    "three within two months": (
        [(18.0, {"alsfrs_r_total": 39}), (19.0, {"alsfrs_r_total": 37}), (20.0, {"alsfrs_r_total": 36})],
        {},
        set(),
    ),
    "the older scale": ([(20.0, {"alsfrs_r_total": 36, "alsfrs_total": 30})], {}, {"not_an_input"}),
    "the older scale, once": (
        [(14.0, {"alsfrs_total": 33}), (20.0, {"alsfrs_r_total": 36})],
        {},
        {"not_an_input"},
    ),
    "litres": ([(20.0, {"alsfrs_r_total": 36, "fvc": 3.1})], {}, {"not_an_input"}),
    "a limit once": (
        [(14.0, {"alsfrs_r_total": 40, "crp": "<0.5"}), (20.0, {"alsfrs_r_total": 36, "crp": 2.0})],
        {},
        {"limit_not_in_change"},
    ),
    "a limit at last": (
        [
            (8.0, {"alsfrs_r_total": 42, "crp": 3.0}),
            (14.0, {"alsfrs_r_total": 40, "crp": 1.0}),
            (20.0, {"alsfrs_r_total": 36, "crp": "<0.5"}),
        ],
        {},
        {"limit_not_in_change"},
    ),
    "one limit alone": ([(20.0, {"alsfrs_r_total": 36, "crp": "<0.5"})], {}, set()),
    "a diagnosis after the visit": ([(20.0, {"alsfrs_r_total": 36})], {"delay": 20.7}, {"diagnosis_after_visit"}),
    "a diagnosis on the day": ([(20.0, {"alsfrs_r_total": 36})], {"delay": 20.0}, set()),
    "riluzole begun": (
        [(14.0, {"alsfrs_r_total": 40, "riluzole": "no"}), (20.0, {"alsfrs_r_total": 36, "riluzole": "yes"})],
        {},
        {"earlier_not_used"},
    ),
    "riluzole as before": (
        [(14.0, {"alsfrs_r_total": 40, "riluzole": "yes"}), (20.0, {"alsfrs_r_total": 36, "riluzole": "yes"})],
        {},
        set(),
    ),
    "all at once": (
        [
            (19.5, {"alsfrs_r_total": 38, "crp": "<0.5", "riluzole": "no", "fvc": 3.3}),
            (20.0, {"alsfrs_r_total": 36, "crp": 2.0, "riluzole": "yes"}),
        ],
        {"delay": 21.0},
        set(OF_USE),
    ),
}


def as_record(name: str) -> Made:
    visits, said, _ = CASES[name]
    record: Made = {"reference": name, "sex": "male", "onset_site": "spinal", "age": {"value": 61, "unit": "a"}}
    if "delay" in said:
        record["diagnostic_delay"] = {"value": said["delay"], "unit": "mo"}
    record["visits"] = [
        {
            "months_since_onset": {"value": month, "unit": "mo"},
            "measurements": {key: measured(key, value) for key, value in found.items() if key != "riluzole"},
            **{key: value for key, value in found.items() if key == "riluzole"},
        }
        for month, found in visits
    ]
    return record


def measured(name: str, value: object) -> Made:
    unit = vocabulary().quantities[name].unit
    if isinstance(value, str):
        return {"value": float(value[1:]), "unit": unit, "comparator": value[0]}
    return {"value": value, "unit": unit}


def as_rows(name: str) -> list[dict[str, str | None]]:
    visits, said, _ = CASES[name]
    same = {"patient_id": name, "sex": "male", "onset_site": "spinal"}
    if "delay" in said:
        same["diagnostic_delay_months"] = str(said["delay"])
    rows = []
    for at, (month, found) in enumerate(visits):
        cells = {
            vocabulary().quantities[key].column: str(value) for key, value in found.items() if key != "riluzole"
        }
        now = {"months_since_onset": str(month), "age_years": "61" if at == len(visits) - 1 else None}
        rows.append({**same, **cells, **{k: str(v) for k, v in found.items() if k == "riluzole"}, **now})
    return rows


def named(codes: list[str]) -> set[str]:
    return set(codes) & set(OF_USE)


@pytest.fixture(scope="module")
def expected(predictor: Predictor) -> dict[str, Prediction]:
    found = {}
    for name in CASES:
        answer = predictor.predict(parse_record(as_record(name), today=TODAY))
        assert isinstance(answer, Prediction), name
        found[name] = answer
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_record_says_it(expected: dict[str, Prediction], name: str) -> None:
    assert named([caution.code for caution in expected[name].cautions]) == CASES[name][2]


def test_a_file_of_records_says_the_same(predictor: Predictor, expected: dict[str, Prediction]) -> None:
    lines = [orjson.dumps(as_record(name)) for name in CASES]
    scored = Scorer(predictor, ColumnMapping(), SETTINGS, pa.string()).score(
        RecordChunk(np.arange(len(lines)), lines)
    )
    require_same({row["patient_id"]: row for row in scored.answers.to_pylist()}, expected)


@pytest.mark.parametrize("numbers", [False, True])
def test_a_table_says_the_same(predictor: Predictor, expected: dict[str, Prediction], numbers: bool) -> None:
    """As text, and with a column of numbers; the last row of each patient is the record."""
    rows = [row for name in CASES for row in as_rows(name)]
    columns = dict.fromkeys(key for row in rows for key in row)
    table = pa.table({key: pa.array([row.get(key) for row in rows], pa.string()) for key in columns})
    if numbers:
        at = table.column_names.index("diagnostic_delay_months")
        table = table.set_column(at, "diagnostic_delay_months", table["diagnostic_delay_months"].cast(pa.float64()))
    scored = Scorer(predictor, ColumnMapping(), SETTINGS, pa.string()).score(
        TableChunk(np.arange(len(rows)), table)
    )
    require_same({row["patient_id"]: row for row in scored.answers.to_pylist()}, expected)


def require_same(last: dict[str, Made], expected: dict[str, Prediction]) -> None:
    assert len(last) == len(expected)
    for name, answer in expected.items():
        assert last[name]["progression_rate"] == answer.progression_rate, name
        codes = list(dict.fromkeys(caution.code for caution in answer.cautions))
        assert str(last[name]["reasons"]).split() == codes, name
