"""Golden answers: made-up records, replayed to the last digit, with nobody's data in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from features.parse import parse_record
from features.record import PatientRecord
from model.golden import LEVELS, GoldenAnswer, golden_answers, golden_records, replay
from model.predictor import Predictor

if TYPE_CHECKING:
    from tests.conftest import Trained


def records(golden: tuple[GoldenAnswer, ...]) -> list[PatientRecord]:
    return [parse_record(item.record, today=date.max) for item in golden]


def test_they_cross_the_range_with_and_without_a_history(trained: Trained) -> None:
    made = records(trained.pack.golden)
    assert [len(record.visits) for record in made] == [1, 2, 1, 2, 1]
    assert len(made) == len(LEVELS)
    scores = [record.index_visit.measurements["alsfrs_r_total"].value for record in made]
    assert scores == sorted(scores)
    assert scores[0] < 30
    assert scores[-1] > 40
    measured = [set(record.index_visit.measurements) for record in made]
    assert len({frozenset(names) for names in measured}) == len(made)  # each lacks other markers


def test_they_are_answered(trained: Trained) -> None:
    outcomes = {item.answer["outcome"] for item in trained.pack.golden}
    assert outcomes <= {"prediction", "prediction_with_cautions"}
    rates = [item.answer["progression_rate"] for item in trained.pack.golden]
    assert len(set(rates)) == len(rates)


def test_no_golden_record_is_a_patient_s(trained: Trained) -> None:
    """No visit of a golden record has the measurements of a visit of the cohort, not even most of them."""
    cohort = [example.record.index_visit.measurements for example in trained.run.cohort.examples]
    assert len(cohort) > 300
    for record in records(trained.pack.golden):
        for visit in record.visits:
            mine = {(name, item.value) for name, item in visit.measurements.items()}
            assert len(mine) > 20
            shared = max(
                len(mine & {(name, item.value) for name, item in other.items()}) / len(mine) for other in cohort
            )
            assert shared < 0.6  # scores are whole numbers from 0 to 4, so some coincide


def test_the_same_model_makes_the_same_records(predictor: Predictor) -> None:
    once, again = (golden_records(predictor.matrix, predictor.applicability) for _ in range(2))
    assert once == again
    assert [item.record for item in golden_answers(predictor)] == once


def test_the_pack_s_own_are_replayed_without_a_difference(trained: Trained) -> None:
    assert replay(trained.pack.predictor, trained.pack.golden) == []


def test_wording_may_change_and_numbers_may_not(predictor: Predictor) -> None:
    golden = golden_answers(predictor)
    for words in ("label", "words", "pack"):
        assert not any(words in keys for item in golden for keys in nested_keys(item.answer))
    moved = tuple(replace(each, residuals=each.residuals + 1e-9) for each in predictor.fitted.situations)
    shifted = replace(predictor, fitted=replace(predictor.fitted, situations=moved))
    differing = replay(shifted, golden)
    assert {line.split(": ")[1] for line in differing} == {"prediction_interval", "quantiles"}
    assert {line.split(": ")[0] for line in differing} == {f"record {number}" for number in range(len(golden))}


def test_a_pack_without_golden_answers_is_not_the_same(predictor: Predictor) -> None:
    assert replay(predictor, ()) == ["there is none"]


def test_a_missing_and_an_added_key_are_differences(predictor: Predictor) -> None:
    [first, *_] = golden_answers(predictor)
    without = {key: value for key, value in first.answer.items() if key != "base_value"}
    assert replay(predictor, [GoldenAnswer(first.record, without)]) == ["record 0: base_value"]
    assert replay(predictor, [GoldenAnswer(first.record, {**first.answer, "odd": 1})]) == ["record 0: odd"]


def test_the_last_digit_counts(predictor: Predictor) -> None:
    [first, *_] = golden_answers(predictor)
    rate = first.answer["progression_rate"]
    assert isinstance(rate, float)
    altered = {**first.answer, "progression_rate": float(np.nextafter(rate, 2))}
    assert replay(predictor, [GoldenAnswer(first.record, altered)]) == ["record 0: progression_rate"]


def nested_keys(value: object) -> list[set[str]]:
    if isinstance(value, Mapping):
        return [set(value), *(keys for item in value.values() for keys in nested_keys(item))]
    return [keys for item in value for keys in nested_keys(item)] if isinstance(value, list) else []
