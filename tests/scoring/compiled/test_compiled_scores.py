"""Compiled normal scores are those of `model`, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.applicability import Knots, KnotTable
from scoring.compiled.scores import HeldScores, OpenScores
from tests.scoring.compiled.copulas import increasing, make_copula, make_rows


@pytest.mark.parametrize("q", [1, 5, 70])
def test_held_scores(q: int) -> None:
    copula = make_copula(q, seed=q)
    rows = make_rows(copula, 500, seed=1)
    expected = copula.inputs.scores_of(rows[:, copula.positions])
    assert HeldScores.of(copula.inputs, copula.positions).scores(rows).tolist() == expected.tolist()


def knots_of(count: int, seed: int) -> Knots:
    rng = np.random.default_rng(seed)
    values = increasing(rng, count, -2.0)
    return Knots(values, increasing(rng, count, -3.0), float(values[0]), float(values[-1]))


TABLE = KnotTable.of([knots_of(count, count) for count in (2, 3, 15, 16, 17, 33)])
OPEN = OpenScores.of(TABLE, np.array([0, 1, 3, 4, 5, 6]))
VALUES = sorted({float(value) for value in TABLE.values.ravel() if math.isfinite(value)})
NUMBERS = st.one_of(
    st.just(math.nan),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES).map(lambda value: math.nextafter(value, -math.inf)),
    st.floats(-1e6, 1e6),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, min_size=7, max_size=7))
def test_open_scores(drawn: list[float]) -> None:
    row = np.array([drawn])
    expected = TABLE.scores(row[:, [0, 1, 3, 4, 5, 6]])
    np.testing.assert_array_equal(OPEN.scores(row), expected)
