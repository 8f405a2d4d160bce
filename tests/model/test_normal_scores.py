"""Values to scores and back: order kept to the bit, ends held, knots where the training rows are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from model.copula_fit import rank_scores, thinned
from model.normal_scores import HOLD, NormalScores, OutcomeScores

numbers = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 6))


def test_scores_are_normal_quantiles_of_mid_ranks() -> None:
    values = np.array([3.0, 1.0, 1.0, 8.0, 5.0, 1.0, 5.0])
    expected = norm.ppf((rankdata(values) - 0.5) / len(values))
    expected = (expected - expected.mean()) / expected.std()
    distinct, scores = rank_scores(values, np.ones(7))
    np.testing.assert_allclose(scores[np.searchsorted(distinct, values)], expected, atol=1e-12)


def test_a_weight_is_so_many_rows() -> None:
    values, weight = np.array([3.0, 1.0, 8.0, 5.0]), np.array([1, 3, 2, 1])
    repeated = rank_scores(np.repeat(values, weight), np.ones(7))
    np.testing.assert_allclose(rank_scores(values, weight.astype(float)), repeated, atol=1e-12)


def test_a_binary_column_has_mean_0_and_sd_1() -> None:
    column = np.array([0.0] * 90 + [1.0] * 10)
    _, (low, high) = rank_scores(column, np.ones(100))
    np.testing.assert_allclose([0.9 * low + 0.1 * high, 0.9 * low**2 + 0.1 * high**2], [0, 1], atol=1e-12)


@given(st.lists(numbers, min_size=2, max_size=40, unique=True), st.lists(numbers, min_size=2, max_size=40))
def test_scores_never_fall_along_a_sweep(training: list[float], sweep: list[float]) -> None:
    knots = rank_scores(np.array(training), np.ones(len(training)))
    table = NormalScores.of([knots, (np.array([0.0, 1.0]), np.array([-1.0, 1.0]))])
    along = np.array(sorted([*sweep, *training, -np.inf, np.inf]))
    scores = table.scores_of(np.column_stack([along, np.full(len(along), np.nan)]))
    assert (np.diff(scores[:, 0]) >= 0).all()
    assert (scores[:, 1] == 0).all()
    assert scores[0, 0] == knots[1][0] - HOLD
    assert scores[-1, 0] == knots[1][-1] + HOLD


@given(st.lists(numbers, min_size=2, max_size=40, unique=True), st.lists(st.floats(-9, 9), min_size=2))
def test_outcomes_never_fall_and_stay_within_training(training: list[float], sweep: list[float]) -> None:
    values, scores = rank_scores(np.array(training), np.ones(len(training)))
    found = OutcomeScores(values, scores).values_at(np.array(sorted([*sweep, *scores])))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= values[0]
    assert found.max() <= values[-1]


def test_thinned_keeps_the_ends_and_the_shape() -> None:
    values = np.sort(np.random.default_rng(0).lognormal(size=5000))
    knots = rank_scores(values, np.ones(5000))
    few = thinned(knots, 65)
    assert len(few[0]) <= 65
    assert (few[0][0], few[0][-1]) == (values[0], values[-1])
    assert (np.diff(few) > 0).all()
    np.testing.assert_allclose(np.interp(values, *few), knots[1], atol=0.05)
    assert thinned((values[:10], knots[1][:10]), 65)[0] is not few[0]
