"""A compiled copula says what `Copula` says, to the last bit, whatever the rows."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.copula import FLAT, SCORE_UNIT, Copula
from scoring.compiled.copula import CompiledCopula
from tests.model.test_copula import COPULA as FITTED
from tests.model.test_copula import ROWS as FITTED_ROWS
from tests.scoring.compiled.copulas import make_copula, make_rows

SIZES = (1, 2, 5, 40, 64, 70)  # more than 64 take two words a pattern
COPULA = make_copula(5, seed=5)
COMPILED = CompiledCopula(COPULA)


def assert_same(copula: Copula, rows: np.ndarray, compiled: CompiledCopula | None = None) -> None:
    compiled = compiled or CompiledCopula(copula)
    for name in ("estimate", "contributions"):
        expected, found = getattr(copula, name)(rows), getattr(compiled, name)(rows)
        assert found.dtype == expected.dtype == np.int64
        assert np.array_equal(found, expected)


def test_a_fitted_copula() -> None:
    assert_same(FITTED, FITTED_ROWS)


@pytest.mark.parametrize("q", SIZES)
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.6, 1.0])
def test_copulas_of_all_sizes(q: int, missing: float) -> None:
    copula = make_copula(q, seed=q)
    assert_same(copula, make_rows(copula, 200, seed=1, missing=missing))


@pytest.mark.parametrize("count", [0, 1, 2, 16384, 16385])
def test_any_number_of_rows(count: int) -> None:
    assert_same(COPULA, make_rows(COPULA, count, seed=2), COMPILED)


KNOTS = sorted(set(COPULA.inputs.values[np.isfinite(COPULA.inputs.values)].tolist()))
NUMBERS = st.one_of(
    st.just(math.nan),
    st.sampled_from(KNOTS),
    st.sampled_from(KNOTS).map(lambda value: math.nextafter(value, -math.inf)),
    st.floats(-8, 40),
    st.floats(allow_infinity=True),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=8, max_size=8), min_size=1, max_size=30))
def test_any_numbers(drawn: list[list[float]]) -> None:
    rows = np.array(drawn)
    assert_same(COPULA, rows, COMPILED)
    assert np.array_equal(COMPILED.contributions(rows).sum(axis=1), COMPILED.estimate(rows))


def test_scores_near_nothing() -> None:
    """Rows whose score is nearer to 0 than `FLAT`, where shares come from the slope of h around 0."""
    copula = make_copula(2, seed=8)
    first, second = copula.positions
    values = copula.inputs.values
    rows = np.full((4000, copula.n_features), np.nan)
    rows[:, first] = np.linspace(values[0, 0], copula.inputs.last[0], 4000)
    shares = copula._shares(rows)[0].sum(axis=1) * SCORE_UNIT
    flat = np.abs(shares) < FLAT
    while not flat.sum() > 20:  # between the two rows around 0, closer and closer
        after = int(np.argmax(np.sign(shares) != np.sign(shares[0])))
        rows[:, first] = np.linspace(rows[after - 1, first], rows[after, first], 4000)
        shares = copula._shares(rows)[0].sum(axis=1) * SCORE_UNIT
        flat = np.abs(shares) < FLAT
    assert_same(copula, rows)
    rows[:, second] = values[1, 1]
    assert_same(copula, rows)


def test_halves_are_rounded_to_even() -> None:
    """Weights and values that put every product of a node halfway between two units, or near it."""
    for grid in (-2, 0, 1, 34):
        assert_same(replace(COPULA, grid=grid), make_rows(COPULA, 500, seed=3))


def test_rows_laid_out_otherwise() -> None:
    rows = make_rows(COPULA, 300, seed=4)
    for other in (np.asfortranarray(rows), rows[::-1], rows.astype(np.float32)):
        assert_same(COPULA, other)


def test_rows_of_another_width_are_refused() -> None:
    for evaluate in (COMPILED.estimate, COMPILED.contributions):
        with pytest.raises(ValueError, match=r"rows have shape \(2, 5\); expected \(n, 8\)"):
            evaluate(np.zeros((2, 5)))


def test_the_second_time_is_the_first() -> None:
    """What is kept of a pattern is what was computed for it."""
    fresh, rows = CompiledCopula(COPULA), make_rows(COPULA, 500, seed=6)
    first = fresh.contributions(rows)
    assert np.array_equal(fresh.contributions(rows[::-1]), first[::-1])


def test_threads_get_the_same_answers() -> None:
    copula = make_copula(40, seed=7)
    fresh, rows = CompiledCopula(copula), make_rows(copula, 2000, seed=7)
    expected = CompiledCopula(copula).contributions(rows)
    assert np.array_equal(expected[:200], copula.contributions(rows[:200]))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda at: fresh.contributions(rows[at:]), range(8)))
    assert all(np.array_equal(each, expected[at:]) for at, each in enumerate(found))
