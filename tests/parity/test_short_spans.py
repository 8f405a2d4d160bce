"""A visit some days or weeks before the last: it counts, the more the longer ago, on every route.

The patient is the one in whom a fall of 0, 3, 6 or 10 points within 30 days once gave the same answer, and one of
3 points within 31 days half as much again.
"""

from __future__ import annotations

import json
from datetime import date, timedelta

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pytest

from features.mapping import ColumnMapping
from features.parse import parse_record
from model.answer import Prediction, render
from model.predictor import Predictor
from scoring.chunk import RecordChunk, TableChunk
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings
from tests.parity.test_same_numbers import address

__all__ = ["address"]

LAST, TODAY = date(2026, 6, 15), date(2026, 11, 30)
FALLS, DAYS = (0, 3, 6, 10), range(1, 61)
FEW_DAYS = (1, 7, 14, 27, 28, 29, 30, 31, 32, 40, 41, 60)
LARGEST_STEP = 0.02  # points/month from one day to the next; it was 0.36 from 30 to 31 days
CAUTION = "change_over_short_span"


def record(days: int, fall: int) -> dict[str, object]:
    scores = ((LAST - timedelta(days), 38 + fall), (LAST, 38))
    return {
        "reference": f"{days} days, {fall} points",
        "sex": "male",
        "onset_site": "spinal",
        "age": {"value": 55, "unit": "a"},
        "onset_date": "2025-01-10",
        "visits": [
            {"date": day.isoformat(), "measurements": {"alsfrs_r_total": {"value": score, "unit": "{score}"}}}
            for day, score in scores
        ],
    }


@pytest.fixture(scope="module")
def answers(predictor: Predictor) -> dict[tuple[int, int], Prediction]:
    """By days between the visits and points lost."""

    def answer(days: int, fall: int) -> Prediction:
        found = predictor.predict(parse_record(record(days, fall), today=TODAY))
        assert isinstance(found, Prediction)
        return found

    return {(days, fall): answer(days, fall) for days in DAYS for fall in FALLS}


@pytest.mark.parametrize("fall", FALLS)
def test_there_is_no_cliff(answers: dict[tuple[int, int], Prediction], fall: int) -> None:
    rates = np.array([answers[days, fall].progression_rate for days in DAYS])
    assert np.abs(np.diff(rates)).max() < LARGEST_STEP


def test_the_more_was_lost_the_faster(answers: dict[tuple[int, int], Prediction]) -> None:
    rates = np.array([[answers[days, fall].progression_rate for fall in FALLS] for days in DAYS])
    assert (np.diff(rates, axis=1) > 0).all()
    spread = rates[:, -1] - rates[:, 0]
    assert spread[0] < 0.02  # a day says next to nothing
    assert spread[27] > 0.1  # four weeks say something
    assert spread[27] < spread[59]


def test_four_weeks_are_used(answers: dict[tuple[int, int], Prediction]) -> None:
    """Raw, 3 points in 28 days are 3.26 a month; the course so far is 10 points in 521 days, 0.58 a month."""
    (used,) = [part for part in answers[28, 3].contributions if part.feature == "alsfrs_r_total_change_per_month"]
    so_far, raw, share = -10 / (521 / 30.4375), -3 / (28 / 30.4375), 0.0502337
    assert used.value == pytest.approx(so_far + (raw - so_far) * share, abs=1e-6)
    assert used.points_per_month != 0.0


def test_what_says_little_is_said(answers: dict[tuple[int, int], Prediction]) -> None:
    """Two readings d months apart weigh d^2 / (d^2 + 16): a tenth at 40.6 days."""
    for (days, _), answer in answers.items():
        about = {caution.code: caution.features for caution in answer.cautions}
        assert (about.get(CAUTION) == ("alsfrs_r_total_change_per_month",)) == (days <= 40)
    (caution,) = [each for each in answers[28, 3].cautions if each.code == CAUTION]
    assert "ALSFRS-R total over 28 days (weighs 5.0%)" in caution.words


def test_a_table_says_the_same(predictor: Predictor, answers: dict[tuple[int, int], Prediction]) -> None:
    rows = [
        {
            "patient_id": f"{days}-{fall}",
            "onset_date": "2025-01-10",
            "visit_date": visit["date"],
            "age_years": age,
            "sex": "male",
            "onset_site": "spinal",
            "alsfrs_r_total": visit["measurements"]["alsfrs_r_total"]["value"],
        }
        for days in DAYS
        for fall in FALLS
        for age, visit in zip((None, 55.0), record(days, fall)["visits"], strict=True)  # type: ignore[call-overload]
    ]
    scorer = Scorer(predictor, ColumnMapping(), ScoreSettings("top5", 0.9, TODAY), pa.string())
    scored = scorer.score(TableChunk(np.arange(len(rows)), pa.Table.from_pylist(rows))).answers.to_pylist()
    last = {row["patient_id"]: row for row in scored if row["row"] % 2}
    assert len(last) == len(answers)
    for (days, fall), answer in answers.items():
        row = last[f"{days}-{fall}"]
        assert row["progression_rate"] == answer.progression_rate
        assert row["reasons"].split() == [caution.code for caution in answer.cautions]


def test_records_in_a_file_say_the_same(predictor: Predictor, answers: dict[tuple[int, int], Prediction]) -> None:
    lines = [orjson.dumps(record(days, fall)) for days, fall in answers]
    scorer = Scorer(predictor, ColumnMapping(), ScoreSettings("top5", 0.9, TODAY), pa.string())
    scored = scorer.score(RecordChunk(np.arange(len(lines)), lines)).answers.to_pylist()
    assert [row["progression_rate"] for row in scored] == [each.progression_rate for each in answers.values()]


def test_the_service_says_the_same(address: str, answers: dict[tuple[int, int], Prediction]) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        for days in FEW_DAYS:
            for fall in FALLS:
                reply = client.post("/v1/predict", json=record(days, fall))
                assert reply.status_code == 200, reply.text
                assert reply.json() == json.loads(json.dumps(render(answers[days, fall])))
