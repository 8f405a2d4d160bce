"""Compiled applicability: the same scores up to rounding, exactly the same decisions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.applicability import Applicability, fit_applicability
from scoring.compiled.applicability import CompiledApplicability


def draw(n: int, seed: int, p: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 1))
    rows = np.exp(0.5 * factor + rng.normal(size=(n, p)))
    rows[:, -1] = np.round(rows[:, -1])
    rows[rng.random(rows.shape) < 0.3] = np.nan
    return rows


COHORT = fit_applicability(draw(400, seed=1), range(1, 8), np.arange(400) % 5)
MANY = CompiledApplicability(COHORT)
ROWS = np.concatenate([draw(500, seed=2), 4.0 * draw(200, seed=3)])


def one_by_one(cohort: Applicability, rows: np.ndarray) -> np.ndarray:
    return np.array([cohort.unlikeness(row) for row in rows])


def test_same_scores_and_decisions() -> None:
    expected = one_by_one(COHORT, ROWS)
    np.testing.assert_allclose(MANY.unlikeness(ROWS), expected, rtol=1e-11, atol=1e-11)
    decisions = MANY.is_unlike(ROWS)
    assert decisions.tolist() == [COHORT.is_unlike(row) for row in ROWS]
    assert 0 < decisions.sum() < len(ROWS)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows(count: int) -> None:
    np.testing.assert_allclose(MANY.unlikeness(ROWS[:count]), one_by_one(COHORT, ROWS[:count]), rtol=1e-11)
    assert MANY.is_unlike(ROWS[:count]).shape == (count,)


def test_more_rows_than_a_chunk() -> None:
    rows = np.tile(ROWS, (25, 1))
    assert np.array_equal(MANY.unlikeness(rows), np.tile(MANY.unlikeness(ROWS), 25))


def test_nothing_measured_is_not_unlike() -> None:
    nothing = np.full((1, 8), np.nan)
    nothing[0, 0] = 1e9  # not looked at
    assert MANY.unlikeness(nothing).tolist() == [-np.inf]
    assert MANY.is_unlike(nothing).tolist() == [False]


@pytest.mark.parametrize("direction", [-np.inf, 0.0, np.inf])
def test_at_the_limit_the_plain_arithmetic_decides(direction: float) -> None:
    """The limit is one row's own score, or the number next to it: compiled rounding must not show."""
    for row in ROWS[~np.isnan(ROWS[:, 1:]).all(axis=1)][:100]:
        score = COHORT.unlikeness(row)
        limit = float(np.nextafter(score, direction)) if direction else score
        cohort = replace(COHORT, limit=limit)
        assert CompiledApplicability(cohort).is_unlike(row[None]).tolist() == [cohort.is_unlike(row)]
        assert cohort.is_unlike(row) is (direction < 0.0)


def test_near_the_limit_the_plain_arithmetic_is_asked() -> None:
    row = ROWS[0]
    near = replace(COHORT, limit=COHORT.unlikeness(row) + 5e-7)
    CompiledApplicability(near).is_unlike(row[None])
    assert len(near._cache) == 1
    far = replace(COHORT, limit=COHORT.unlikeness(row) + 1e-3)
    CompiledApplicability(far).is_unlike(row[None])
    assert len(far._cache) == 0


NUMBERS = st.one_of(st.just(float("nan")), st.floats(-100, 100), st.floats(-1e12, 1e12))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=8, max_size=8), min_size=1, max_size=10))
def test_any_numbers(drawn: list[list[float]]) -> None:
    rows = np.array(drawn)
    np.testing.assert_allclose(MANY.unlikeness(rows), one_by_one(COHORT, rows), rtol=1e-10, atol=1e-10)
    assert MANY.is_unlike(rows).tolist() == [COHORT.is_unlike(row) for row in rows]


def test_threads_get_the_same_answers() -> None:
    fresh, expected = CompiledApplicability(COHORT), MANY.unlikeness(ROWS)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: fresh.unlikeness(ROWS), range(8)))
    assert all(np.array_equal(each, expected) for each in found)
