"""What the model says of other values: each point is the answer to that very record."""

from __future__ import annotations

from itertools import pairwise

import pytest

from features.parse import parse_record
from features.problem import Problem
from features.record import Measurement, PatientRecord
from features.today import latest_date
from features.vocabulary import vocabulary
from model.answer import Prediction
from model.predictor import Predictor
from model.whatif import curve
from tests.conftest import Trained
from tests.measured import measurement

QUANTITIES = vocabulary().quantities


@pytest.fixture(scope="module")
def predictor(trained: Trained) -> Predictor:
    return trained.pack.predictor


@pytest.fixture(scope="module")
def records(trained: Trained) -> list[PatientRecord]:
    from datetime import UTC, datetime

    today = latest_date(datetime.now(UTC))
    golden = [item for item in trained.pack.golden if item.answer["outcome"] != "abstained"]
    return [parse_record(item.record, today=today) for item in golden]


def test_the_value_as_it_is_gives_the_answer_as_it_is(predictor: Predictor, records: list[PatientRecord]) -> None:
    for record in records:
        for name, measured in record.index_visit.measurements.items():
            [point] = curve(predictor, record, QUANTITIES[name], [measured]).points
            assert point.answer == predictor.predict(record)


def test_the_estimate_never_goes_against_biology(predictor: Predictor, records: list[PatientRecord]) -> None:
    asked = 0
    for name in ("nfl", "crp", "treg_suppression", "alsfrs_r_total"):
        quantity = QUANTITIES[name]
        low, high = quantity.reference or quantity.plausible
        values = [measurement(name, float(round(low + (high - low) * at / 20))) for at in range(21)]
        for record in records:
            found = curve(predictor, record, quantity, values)
            rates = [
                point.answer.progression_rate for point in found.points if isinstance(point.answer, Prediction)
            ]
            asked += len(rates)
            assert all(quantity.direction * (after - before) >= 0 for before, after in pairwise(rates))
    assert asked > 100


def test_the_patient_given_is_not_touched(predictor: Predictor, records: list[PatientRecord]) -> None:
    before = dict(records[0].index_visit.measurements)
    curve(predictor, records[0], QUANTITIES["crp"], [Measurement(1.0)])
    assert dict(records[0].index_visit.measurements) == before


def test_a_value_that_contradicts_the_rest_has_a_problem_and_no_number(
    predictor: Predictor, records: list[PatientRecord]
) -> None:
    visit = records[0].index_visit
    measured = {**visit.measurements, "neutrophils": Measurement(4.0), "lymphocytes": Measurement(2.0)}
    measured.pop("leukocytes", None)
    record = PatientRecord((type(visit)(visit.month, measured, visit.riluzole),), records[0].categories)
    good, bad = curve(predictor, record, QUANTITIES["nlr"], [Measurement(2.0), Measurement(9.0)]).points
    assert not isinstance(good.answer, tuple)
    assert isinstance(bad.answer, tuple)
    [problem] = bad.answer
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("contradiction", "measurements.nlr")
