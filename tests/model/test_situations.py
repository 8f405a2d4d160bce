"""Two situations: first visits and patients seen before are answered apart, each from what holds for it."""

from __future__ import annotations

import numpy as np
import pytest

from model.blend import Columns, Sample
from model.regressor import ProgressionRegressor
from model.situations import FEWEST_GROUPS, LEAST_LENT, LENT, samples_of

LEVEL, CHANGE = 0, 1


def cohort(patients: int, seed: int, visits: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At a first visit the rate follows the level, and once there is a change, that alone."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), visits)
    later = np.tile(np.arange(visits), patients) > 0
    X = rng.normal(size=(len(patient), 2))
    y = np.where(later, X[:, CHANGE], X[:, LEVEL]) + 0.2 * rng.normal(size=len(patient))
    X[~later, CHANGE] = np.nan
    return X, y, patient


def fit(patients: int, seed: int = 0, **settings: object) -> ProgressionRegressor:
    X, y, patient = cohort(patients, seed)
    return ProgressionRegressor(history=[CHANGE], n_trees=100, **settings).fit(X, y, groups=patient)


@pytest.fixture(scope="module")
def fitted() -> ProgressionRegressor:
    return fit(300)


def test_each_situation_answers_from_what_holds_for_it(fitted: ProgressionRegressor) -> None:
    X, y, _ = cohort(500, seed=1)
    later = ~np.isnan(X[:, CHANGE])
    apart = np.mean((y - fitted.predict(X)) ** 2)
    alike = ProgressionRegressor(n_trees=100).fit(*cohort(300, 0)[:2], groups=cohort(300, 0)[2])
    assert apart < 0.5 * np.mean((y - alike.predict(X)) ** 2)
    shares = np.abs(fitted.contributions(X))
    assert shares[later, LEVEL].mean() < 0.1 * shares[later, CHANGE].mean()
    assert (shares[~later, CHANGE] == 0.0).all()


def test_a_batch_may_mix_them(fitted: ProgressionRegressor) -> None:
    X = cohort(20, seed=2)[0]
    for answer in (fitted.predict, fitted.predict_interval, fitted.contributions, fitted.band_probabilities):
        together = answer(X)
        assert all(np.array_equal(answer(X[i : i + 1])[0], together[i]) for i in range(len(X)))


def test_contributions_add_up_in_both(fitted: ProgressionRegressor) -> None:
    X = cohort(20, seed=3)[0]
    np.testing.assert_array_equal(fitted.contributions(X).sum(axis=1), fitted.predict(X))


def test_each_is_calibrated_on_its_own_rows() -> None:
    """Noise of 0.1 at first visits and of 1 afterwards: one list of residuals would cover neither."""
    rng = np.random.default_rng(4)
    X, _, patient = cohort(900, seed=4)
    later = ~np.isnan(X[:, CHANGE])
    y = rng.normal(size=len(X)) * np.where(later, 1.0, 0.1)
    learnt, fresh = patient < 400, patient >= 400
    model = ProgressionRegressor(history=[CHANGE], n_trees=100).fit(X[learnt], y[learnt], groups=patient[learnt])
    lower, upper = model.predict_interval(X[fresh]).T
    inside = (y[fresh] >= lower) & (y[fresh] <= upper)
    width = upper - lower
    for these, sd in ((later[fresh], 1.0), (~later[fresh], 0.1)):
        assert inside[these].mean() == pytest.approx(0.9, abs=0.05)
        assert width[these].mean() == pytest.approx(2 * 1.645 * sd, rel=0.2)
    assert [len(each.residuals) for each in model.model_.situations] == [400, 400]


def test_rows_are_lent_with_less_weight_and_never_judge() -> None:
    X, y, patient = cohort(60, seed=5, visits=3)
    sample = Sample(X, y, np.ones(len(y)), patient % 5, np.ones(len(y), np.bool_))
    first, later = samples_of(sample, patient, Columns((0, 0), (CHANGE,), ()))
    assert (first.own == np.isnan(X[:, CHANGE])).all()
    assert (first.own != later.own).all()
    for each in (first, later):
        assert (each.weights()[each.own] == 1.0).all()
        np.testing.assert_allclose(each.weights()[~each.own], LENT / (LENT + 60))
        np.testing.assert_allclose(each.weights(least_lent=0.7)[~each.own], 0.7)
    assert np.isnan(first.X[:, CHANGE]).all()
    assert np.array_equal(later.X, X, equal_nan=True)
    many = np.arange(len(y))
    large = samples_of(Sample(X, y, np.ones(len(y)), many % 5, sample.own), many, Columns((0, 0), (CHANGE,), ()))
    assert large[0].lent == LENT / (LENT + 60)
    X, y, patient = cohort(2000, seed=5)
    sample = Sample(X, y, np.ones(len(y)), patient % 5, np.ones(len(y), np.bool_))
    assert samples_of(sample, patient, Columns((0, 0), (CHANGE,), ()))[0].lent == LEAST_LENT


@pytest.mark.parametrize(("patients", "situations"), [(FEWEST_GROUPS - 1, 1), (FEWEST_GROUPS, 2)])
def test_one_situation_answers_for_all_where_either_has_few(patients: int, situations: int) -> None:
    model = fit(patients)
    assert len(model.model_.situations) == situations
    assert bool(model.model_.history) == (situations == 2)
    assert np.isfinite(model.predict(cohort(5, seed=6)[0])).all()


def test_boosters_are_named_by_their_situation() -> None:
    rng = np.random.default_rng(10)
    X, _, patient = cohort(200, seed=10)
    y = (np.abs(X[:, LEVEL]) > 1) + 0.1 * rng.normal(size=len(X))  # a bend that only trees follow
    model = ProgressionRegressor(history=[CHANGE], n_trees=50).fit(X, y, groups=patient)
    assert {"first_visit_location", "follow_up_location"} <= set(model.booster_json_)
    one = ProgressionRegressor(n_trees=50).fit(X, y, groups=patient)
    assert "location" in one.booster_json_


def test_where_nobody_was_seen_before_there_is_one() -> None:
    X, y, patient = cohort(100, seed=7, visits=1)
    assert len(ProgressionRegressor(history=[CHANGE], n_trees=20).fit(X, y, groups=patient).model_.situations) == 1


def test_the_score_bounds_the_distribution_and_not_the_parts() -> None:
    X, y, patient = cohort(100, seed=11)
    X = np.column_stack([X, np.where(patient % 10 == 0, 0.3, 40.0)])
    settings = {"history": [CHANGE], "n_trees": 20}
    free = ProgressionRegressor(**settings).fit(X, y, groups=patient)
    held = ProgressionRegressor(score_range=(2, 48.0, 3.0), **settings).fit(X, y, groups=patient)
    near = X[:, 2] < 1
    assert np.array_equal(held.predict(X), free.predict(X))
    assert held.predict_interval(X)[near].max() <= 0.1 < free.predict_interval(X)[near].max()
    assert np.array_equal(held.predict_interval(X)[~near], np.clip(free.predict_interval(X)[~near], -8 / 3, None))
    X[near, 2] = np.nan  # without a score nothing is known of its room
    assert np.array_equal(held.predict_interval(X)[near], free.predict_interval(X)[near])


@pytest.mark.parametrize("argument", ["history", "details"])
@pytest.mark.parametrize("column", [2, -1, "nfl"])
def test_a_column_that_is_not_there_is_named(argument: str, column: object) -> None:
    X, y, _ = cohort(50, seed=8)
    with pytest.raises(ValueError, match=rf"{argument} names {column!r}, which X does not have"):
        ProgressionRegressor(**{argument: [column]}).fit(X, y)


def test_details_are_left_out_unless_they_clearly_help() -> None:
    """Ten columns of noise beside one that tells; then ten that tell what their sum does not."""
    rng = np.random.default_rng(9)
    parts = rng.normal(size=(200, 10))
    total = parts.sum(axis=1, keepdims=True)
    X = np.hstack([total, parts])
    noise = 2.0 * rng.normal(size=200)

    def inputs(y: np.ndarray) -> list[int]:
        model = ProgressionRegressor(details=range(1, 11), n_trees=50).fit(X, y)
        (copula,) = (part for part in model.model_.situations[0].location if part.kind == "copula")
        return copula.source.positions.tolist()

    assert inputs(total[:, 0] + noise) == [0]
    assert inputs(5.0 * (parts[:, 0] - parts[:, 1]) + noise) == list(range(11))
