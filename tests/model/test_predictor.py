"""Answers of a trained pack: they add up, they agree with each other, they move the way biology says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.consistency import COMPLETED
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import vocabulary
from model.answer import Abstention, Answer, Prediction, outcome, render
from model.predictor import BANDS, COVERAGE, QUANTILES, Predictor
from tests.measured import MEASURED_AS, measurement

if TYPE_CHECKING:
    from tests.conftest import Trained


@pytest.fixture(scope="module")
def records(trained: Trained) -> list[PatientRecord]:
    """Every index visit of the cohort, as it stood then."""
    return [example.record for example in trained.run.cohort.examples]


@pytest.fixture(scope="module")
def answers(predictor: Predictor, records: list[PatientRecord]) -> list[Answer]:
    return predictor.predict_many(records)


@pytest.fixture(scope="module")
def predictions(answers: list[Answer]) -> list[Prediction]:
    return [answer for answer in answers if isinstance(answer, Prediction)]


def test_contributions_and_base_add_up_to_the_rate(predictions: list[Prediction]) -> None:
    bases = [prediction.base_value for prediction in predictions]
    assert max(bases) - min(bases) < 0.2  # it differs by which markers were measured, and by no value
    for prediction in predictions:
        total = prediction.base_value + sum(item.points_per_month for item in prediction.contributions)
        assert total == pytest.approx(prediction.progression_rate, rel=0, abs=1e-9)


def test_contributions_come_largest_first_and_say_their_sign(predictions: list[Prediction]) -> None:
    for prediction in predictions[:100]:
        sizes = [abs(item.points_per_month) for item in prediction.contributions]
        assert sizes == sorted(sizes, reverse=True)
        assert min(sizes) > 0
        for item in prediction.contributions:
            assert item.words.startswith(item.about.label)
            assert item.words.endswith("faster" if item.points_per_month > 0 else "slower")
            assert f"{abs(item.points_per_month):.2f} points/month" in item.words
            assert ("not measured" in item.words) == (item.value is None)


def test_a_contribution_shows_the_value_that_the_record_has(
    predictor: Predictor, records: list[PatientRecord]
) -> None:
    record = records[0].until(0)
    answer = predictor.predict(record)
    assert isinstance(answer, Prediction)
    shown = {item.feature: item.value for item in answer.contributions}
    words = vocabulary().quantities
    for name, item in record.index_visit.measurements.items():
        if words[name].column in shown:
            assert shown[words[name].column] == item.value
    assert any(value is None for value in shown.values())


def test_bands_quantiles_and_interval_are_of_one_distribution(predictions: list[Prediction]) -> None:
    for prediction in predictions:
        probabilities = dict(prediction.band_probabilities)
        assert tuple(probabilities) == BANDS
        assert min(probabilities.values()) >= 0
        assert sum(probabilities.values()) == pytest.approx(1, rel=0, abs=1e-12)
        levels, rates = zip(*prediction.quantiles, strict=True)
        assert levels == QUANTILES
        assert list(rates) == sorted(set(rates))
        interval = prediction.prediction_interval
        assert (interval.lower, interval.upper, interval.coverage) == (rates[0], rates[-1], COVERAGE)
        if rates[2] > 1.0:  # the median is fast
            assert probabilities["fast"] >= 0.5 - 1e-9
        if rates[2] < 0.5:
            assert probabilities["slow"] >= 0.5 - 1e-9


def test_wider_coverage_is_a_wider_interval(predictor: Predictor, records: list[PatientRecord]) -> None:
    distribution = predictor.fitted.distribution(predictor.matrix.rows(records[:50]))
    before = distribution.interval(0.3)
    for coverage in (0.5, 0.8, 0.9, 0.95):
        wider = distribution.interval(coverage)
        assert (wider[:, 0] <= before[:, 0]).all()
        assert (wider[:, 1] >= before[:, 1]).all()
        assert (np.diff(wider) > np.diff(before)).all()
        before = wider


def test_a_record_alone_is_the_record_among_many(
    predictor: Predictor, records: list[PatientRecord], answers: list[Answer]
) -> None:
    order = np.random.default_rng(0).permutation(len(records))[:60]
    assert [predictor.predict(records[at]) for at in order] == [answers[at] for at in order]
    assert predictor.predict_many([]) == []


def test_the_order_in_which_measurements_are_sent_does_not_matter(
    predictor: Predictor, records: list[PatientRecord]
) -> None:
    for record in records[:20]:
        turned = tuple(
            replace(visit, measurements=dict(reversed(visit.measurements.items()))) for visit in record.visits
        )
        assert predictor.predict(replace(record, visits=turned)) == predictor.predict(record)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("treg_suppression", -1), ("treg_count", -1), ("treg_pct_cd4", -1), ("nfl", 1), ("pnfh", 1), ("crp", 1)],
)
def test_markers_move_the_estimate_one_way(
    predictor: Predictor, records: list[PatientRecord], name: str, direction: int
) -> None:
    """Over the whole plausible range, for patients at their first visit."""
    quantity = vocabulary().quantities[name]
    qualifier = MEASURED_AS.get(name, ())
    first = [record for record in records if len(record.visits) == 1]
    moved = 0
    for record in first[:: max(1, len(first) // 25)]:
        swept = [
            with_measurement(record, name, Measurement(float(value), None, qualifier))
            for value in np.linspace(*quantity.plausible, 121)
        ]
        steps = direction * np.diff(predictor.fitted.estimate(predictor.matrix.rows(swept)))
        assert (steps >= 0).all()
        moved += bool((steps > 0).any())
    assert moved > 0 or quantity.column not in {item for item, share in weights(predictor) if share > 0}


def weights(predictor: Predictor) -> Iterator[tuple[str, float]]:
    return zip(predictor.matrix.columns, predictor.importance[0], strict=True)


def with_measurement(record: PatientRecord, name: str, measurement: Measurement) -> PatientRecord:
    last = record.index_visit
    visit = replace(last, measurements={**last.measurements, name: measurement})
    return replace(record, visits=(*record.visits[:-1], visit))


def test_the_cohort_is_answered(answers: list[Answer]) -> None:
    """But for the share whose record is not one the model is meant for, whatever its numbers."""
    codes = [{reason.code for reason in a.reasons} for a in answers if isinstance(a, Abstention)]
    meant = [each for each in codes if "invasive_ventilation" not in each]
    assert len(meant) / len(answers) < 0.02


def nonsense() -> PatientRecord:
    """Every quantity that stands for itself at the upper end of what is plausible."""
    computed = {identity.name for identity in COMPLETED} - {"alsfrs_r_total"}
    made = {
        name: measurement(name, quantity.plausible[1])
        for name, quantity in vocabulary().quantities.items()
        if quantity.level == "visit" and name not in computed
    }
    return PatientRecord((Visit(20.0, made),), {"sex": "male", "onset_site": "spinal"}, age_years=60.0)


def test_nonsense_is_not_answered(predictor: Predictor) -> None:
    answer = predictor.predict(nonsense())
    assert isinstance(answer, Abstention)
    assert "unlike_training_cohort" in {reason.code for reason in answer.reasons}


def test_an_abstention_holds_no_number_anywhere(predictor: Predictor, records: list[PatientRecord]) -> None:
    no_score = replace(records[0], visits=(replace(records[0].index_visit, measurements={}),))
    words_of = (*vocabulary().quantities.values(), *vocabulary().categories.values())
    labels = sorted((name for each in words_of for name in (each.label, each.name)), key=len, reverse=True)
    for record in (nonsense(), no_score):
        rendered = render(predictor.predict(replace(record, reference="ward")))
        assert rendered["outcome"] == "abstained"
        assert rendered["reference"] == "ward"
        assert set(rendered) == {"outcome", "reference", "reasons", "pack", "statement"}
        assert not list(numbers(rendered))
        for reason in rendered["reasons"]:
            words = reason["words"]
            for label in labels:
                words = words.replace(label, "")  # "CD4+" and "il6" are names
            assert not re.search(r"\d", words)


def numbers(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, (int, float)):
        yield value


def test_without_a_score_or_without_what_everybody_had_there_is_no_answer(
    predictor: Predictor, records: list[PatientRecord]
) -> None:
    record = records[0].until(0)
    kept = {k: v for k, v in record.index_visit.measurements.items() if k != "alsfrs_r_total"}
    kept = {k: v for k, v in kept.items() if not k.startswith("alsfrs_")}  # nor the items that make it
    scoreless = replace(record, visits=(replace(record.index_visit, measurements=kept),))
    answer = predictor.predict(scoreless)
    assert isinstance(answer, Abstention)
    assert "no_functional_score" in {reason.code for reason in answer.reasons}


def test_the_items_make_the_score(predictor: Predictor, records: list[PatientRecord]) -> None:
    record = next(r.until(0) for r in records if len(r.until(0).index_visit.measurements) > 25)
    measured = dict(record.index_visit.measurements)
    items = sum(m.value for name, m in measured.items() if name.startswith("alsfrs_") and name != "alsfrs_r_total")
    assert items == measured.pop("alsfrs_r_total").value
    without = replace(record, visits=(replace(record.index_visit, measurements=measured),))
    whole, from_items = predictor.predict(record), predictor.predict(without)
    assert isinstance(whole, Prediction)
    assert isinstance(from_items, Prediction)
    assert from_items.progression_rate == whole.progression_rate


def test_outcomes_are_named(predictions: list[Prediction], predictor: Predictor) -> None:
    assert {outcome(prediction) for prediction in predictions} == {"prediction", "prediction_with_cautions"}
    for prediction in predictions:
        assert (outcome(prediction) == "prediction") == (not prediction.cautions)
    assert outcome(predictor.predict(nonsense())) == "abstained"


def test_every_answer_says_which_pack_and_that_the_cohort_was_simulated(
    trained: Trained, answers: list[Answer]
) -> None:
    for answer in answers[:10]:
        assert answer.pack.id == trained.pack.id == trained.run.pack_id
        assert answer.pack.made_by.startswith("tregcast ")
        assert "SIMULATED" in answer.statement
        assert isinstance(answer, Abstention) or answer.unit == "ALSFRS-R (0-48) points/month"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_left_out_the_answer_stays_whole(
    predictor: Predictor, records: list[PatientRecord], data: st.DataObject
) -> None:
    """Any part of any record: an abstention, or numbers that are finite, agree and add up."""
    record = records[data.draw(st.integers(0, len(records) - 1))]
    visits = []
    for visit in record.visits:
        names = sorted(visit.measurements)
        kept = data.draw(st.sets(st.sampled_from(names))) if names else set()
        visits.append(replace(visit, measurements={name: visit.measurements[name] for name in sorted(kept)}))
    answer = predictor.predict(replace(record, visits=tuple(visits)))
    rendered = render(answer)
    if isinstance(answer, Abstention):
        assert not list(numbers(rendered))
        return
    assert np.isfinite([float(number) for number in numbers(rendered)]).all()
    total = answer.base_value + sum(item.points_per_month for item in answer.contributions)
    assert total == pytest.approx(answer.progression_rate, rel=0, abs=1e-9)
    assert sum(dict(answer.band_probabilities).values()) == pytest.approx(1)
