"""How unlike the cohort: chi-squared by scipy, a stated false-alarm rate, nonsense found by its correlations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import mahalanobis

from model.applicability import (
    FALSE_ALARM_RATE,
    Applicability,
    Knots,
    KnotTable,
    fit_applicability,
    unlikeness,
    whitening,
)

PEOPLE, MARKERS, MISSING = 600, 12, 0.3


def draw(n: int, seed: int) -> np.ndarray:
    """Skewed, correlated markers (column 0 and 1 at r = 0.95), a 0/1 column at the end, some of it missing."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 1))
    scores = 0.6 * shared + 0.8 * rng.normal(size=(n, MARKERS))
    scores[:, 1] = 0.95 * scores[:, 0] + np.sqrt(1 - 0.95**2) * rng.normal(size=n)
    X = np.exp(0.5 * scores)
    X[rng.random(X.shape) < MISSING] = np.nan
    return np.column_stack([X, (rng.random(n) < 0.3).astype(float)])


def folds_of(n: int) -> np.ndarray:
    return np.arange(n) % 5


@pytest.fixture(scope="module")
def fitted() -> Applicability:
    return fit_applicability(draw(PEOPLE, seed=1), range(MARKERS + 1), folds_of(PEOPLE))


# Wilson and Hilferty's cube root is an approximation; near the limit in use (0.005) it is within a few per cent.
@pytest.mark.parametrize("dof", [1, 2, 3, 5, 20, 60])
@pytest.mark.parametrize(
    ("tail", "allowed"), [(0.2, 0.02), (0.05, 0.06), (0.01, 0.03), (0.005, 0.04), (0.001, 0.2)]
)
def test_the_score_is_chi_squared_s_tail_on_a_normal_scale(dof: int, tail: float, allowed: float) -> None:
    scores = np.full(dof, np.sqrt(stats.chi2.isf(tail, dof) / dof))
    assert stats.norm.sf(unlikeness(scores)) == pytest.approx(tail, rel=allowed)


def test_the_distance_is_mahalanobis_over_what_was_measured() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 5))
    covariance = root @ root.T + np.eye(5)
    scores = np.array([0.4, np.nan, -1.9, 2.2, np.nan])
    there = [0, 2, 3]
    squared = mahalanobis(scores[there], np.zeros(3), np.linalg.inv(covariance[np.ix_(there, there)])) ** 2
    by_hand = ((squared / 3) ** (1 / 3) - (1 - 2 / 27)) / np.sqrt(2 / 27)
    factor = whitening(covariance[np.ix_(there, there)])
    assert unlikeness(factor @ scores[there]) == pytest.approx(by_hand, abs=1e-12)


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=6), st.floats(1.01, 5))
def test_further_out_is_never_more_alike(values: list[float], factor: float) -> None:
    scores = np.array(values)
    covariance = 0.5 * np.eye(len(scores)) + 0.5
    independent = whitening(covariance) @ scores
    assert unlikeness(factor * independent) >= unlikeness(independent) - 1e-12


def test_nothing_measured_is_not_unlike(fitted: Applicability) -> None:
    assert fitted.unlikeness(np.full(MARKERS + 1, np.nan)) == -np.inf
    assert not fitted.is_unlike(np.full(MARKERS + 1, np.nan))


def test_scores_are_ranks_on_a_normal_scale() -> None:
    values = np.exp(np.random.default_rng(3).normal(size=(2000, 1)))
    found = fit_applicability(np.column_stack([values, values]), [0], folds_of(2000))
    levels = [0.05, 0.25, 0.5, 0.9]
    scores = KnotTable.of(found.knots).scores(np.quantile(values, levels)[:, None]).ravel()
    assert scores == pytest.approx(stats.norm.ppf(levels), abs=0.05)


def test_beyond_the_knots_scores_go_on_straight() -> None:
    knots = Knots(np.array([10.0, 20.0, 40.0]), np.array([-1.0, 0.0, 2.0]), 9.0, 45.0)  # slope 3 in 30
    expected = {10.0: -1.0, 15.0: -0.5, 30.0: 1.0, 40.0: 2.0, 70.0: 5.0, -20.0: -4.0}
    scores = KnotTable.of([knots]).scores(np.array([*expected, np.nan])[:, None]).ravel()
    assert scores[:-1] == pytest.approx(list(expected.values()))
    assert np.isnan(scores[-1])


def test_one_fresh_patient_in_200_is_a_false_alarm(fitted: Applicability) -> None:
    fresh = draw(6000, seed=4)
    alarms = np.mean([fitted.is_unlike(row) for row in fresh])
    assert fitted.false_alarm_rate == FALSE_ALARM_RATE == 0.005
    assert 0.0005 < alarms < 0.02


def test_the_cohort_itself_is_like_itself(fitted: Applicability) -> None:
    assert np.mean([fitted.is_unlike(row) for row in draw(PEOPLE, seed=1)]) <= 0.005


def test_each_value_plausible_and_the_pair_nonsense(fitted: Applicability) -> None:
    row = np.full(MARKERS + 1, np.nan)
    for pair, unlike in (((1.8, 1.8), False), ((1.8, -1.8), True)):
        row[:2] = np.exp(0.5 * np.array(pair))
        assert fitted.is_unlike(row) is unlike
        assert not fitted.outside(row)


def test_far_outside_is_unlike_and_named(fitted: Applicability) -> None:
    row = np.ones(MARKERS + 1)
    assert fitted.outside(row) == []
    row[3] = 1e4
    row[5] = -1e4
    assert fitted.outside(row) == [3, 5]
    assert fitted.is_unlike(row)


def test_a_gap_that_nobody_had_is_told_from_one_that_many_had(fitted: Applicability) -> None:
    row = np.ones(MARKERS + 1)
    row[[2, MARKERS]] = np.nan  # a marker that 30 % lack, and the 0/1 column that nobody lacks
    assert fitted.unseen_gaps(row) == [MARKERS]


def test_the_limit_comes_from_rows_that_did_not_teach() -> None:
    """With as many markers as patients, a fit looks better on its own rows than on any other."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 30))
    found = fit_applicability(X, range(30), folds_of(60))
    own = max(found.unlikeness(row) for row in X)
    assert found.limit > own


def test_columns_that_do_not_vary_are_not_looked_at() -> None:
    X = draw(100, seed=6)
    X[:, 2] = 4.0
    X[:, 3] = np.nan
    found = fit_applicability(X, range(MARKERS + 1), folds_of(100))
    assert set(range(MARKERS + 1)) - set(found.positions) == {2, 3}
    assert found.measured[2] == 1.0
    assert found.measured[3] == 0.0


def test_nearly_one_value_for_all() -> None:
    """Where 99 % share a value, the knots span the range, and the odd value is not an infinite distance away."""
    X = np.zeros((500, 2))
    X[:5, 0] = 1.0
    X[:, 1] = np.random.default_rng(7).normal(size=500)
    found = fit_applicability(X, [0, 1], folds_of(500))
    assert np.isfinite(found.unlikeness(np.array([1.0, 0.0])))
    assert found.unlikeness(np.array([1.0, 0.0])) < found.unlikeness(np.array([50.0, 0.0]))
