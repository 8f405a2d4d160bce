"""Compiled regressions are those of `Copula`, and where rounding could tell, they are left to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.copula import COEFFICIENT_UNIT, Copula
from model.signed_regression import signed_regression
from scoring.compiled.algebra import signed_regressions
from scoring.compiled.patterns import Patterns
from scoring.compiled.regression import CompiledRegression
from tests.scoring.compiled.copulas import make_copula


def patterns(q: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Words of different patterns, and which inputs each has."""
    rng = np.random.default_rng(seed)
    measured = np.unique(rng.random((n, q)) < rng.uniform(0.2, 1.0, (n, 1)), axis=0)
    return Patterns.of(np.where(measured, 1.0, np.nan), np.arange(q)).words, measured


def assert_same(copula: Copula, words: np.ndarray, measured: np.ndarray) -> None:
    found = CompiledRegression(copula).of(words)
    for row, there in zip(found, measured, strict=True):
        coefficients, spread = copula.regression(there)
        assert row[:-1].tolist() == coefficients.tolist()
        assert row[-1] == spread


@pytest.mark.parametrize("q", [1, 2, 10, 40, 70])
@pytest.mark.parametrize("noise", [3.0, 0.4, 1e-2, 1e-5, 1e-9])
def test_same_numbers(q: int, noise: float) -> None:
    assert_same(make_copula(q, seed=q, noise=noise), *patterns(q, 200, seed=1))


@pytest.mark.parametrize("q", [2, 10, 40, 70])
@pytest.mark.parametrize("noise", [3.0, 0.4, 0.05])
def test_solvers_differ_by_less_than_a_tenth_of_what_is_allowed(q: int, noise: float) -> None:
    copula = make_copula(q, seed=q + 1, noise=noise)
    regression = CompiledRegression(copula)
    words, measured = patterns(q, 300, seed=2)
    found, sure = regression.attempt(words)
    assert sure.sum() > (0.9 if noise > 0.1 else 0.01) * len(sure)
    for row, there in zip(found[sure], measured[sure], strict=True):
        block, outcome = copula.covariance[np.ix_(there, there)], copula.with_outcome[there]
        expected = signed_regression(block, outcome, copula.directions[there])
        difference = float(np.linalg.norm(row[:-1][there] - expected))
        assert difference <= 0.1 * regression.rules.relative * float(np.linalg.norm(expected))
        assert (row[:-1][~there] == 0.0).all()


def single(covariance_with_outcome: float, direction: int = 1) -> Copula:
    """One input of variance 1: its coefficient is its covariance with the outcome."""
    copula = make_copula(1, seed=1)
    return replace(
        copula,
        covariance=np.eye(1),
        with_outcome=np.array([covariance_with_outcome]),
        directions=np.array([direction]),
    )


ONE = np.array([[1]], np.uint64)


@pytest.mark.parametrize("away", [0.0, 1e-12, -1e-12])
def test_halfway_between_two_units_is_left_to_the_copula(away: float) -> None:
    copula = single((5_000_000.5 + away / COEFFICIENT_UNIT * 1e-8) * COEFFICIENT_UNIT)
    regression = CompiledRegression(copula)
    assert regression.attempt(ONE)[1].tolist() == [False]
    assert_same(copula, ONE, np.array([[True]]))
    assert len(copula._cache) == 1  # the copula was asked


def test_a_unit_that_is_clear_is_not_left_to_the_copula() -> None:
    copula = single(5_000_000.25 * COEFFICIENT_UNIT)
    assert CompiledRegression(copula).attempt(ONE)[1].tolist() == [True]
    CompiledRegression(copula).of(ONE)
    assert len(copula._cache) == 0
    assert_same(copula, ONE, np.array([[True]]))


@pytest.mark.parametrize("direction", [1, -1])
def test_a_sign_that_rounding_decides_is_left_to_the_copula(direction: int) -> None:
    copula = single(0.0, direction)
    assert CompiledRegression(copula).attempt(ONE)[1].tolist() == [False]
    assert_same(copula, ONE, np.array([[True]]))


def test_a_spread_of_nothing_is_left_to_the_copula() -> None:
    copula = single(1.0)
    assert CompiledRegression(copula).attempt(ONE)[1].tolist() == [False]
    assert_same(copula, ONE, np.array([[True]]))


def test_a_gradient_that_rounding_decides_is_left_to_the_copula() -> None:
    """Both inputs leave; then the gradient of the second is as large as the tolerance, 1e-10."""
    covariance, outcome = np.array([[1.0, -0.5], [-0.5, 1.0]]), np.array([-0.5, 1e-10])
    assert (np.linalg.solve(covariance, outcome) < 0.0).all()
    copula = replace(
        make_copula(2, seed=3), covariance=covariance, with_outcome=outcome, directions=np.array([1, 1])
    )
    both = np.array([[3]], np.uint64)
    assert CompiledRegression(copula).attempt(both)[1].tolist() == [False]
    assert_same(copula, both, np.ones((1, 2), np.bool_))
    clear = replace(copula, with_outcome=np.array([-0.5, -1e-9]))
    assert CompiledRegression(clear).attempt(both)[1].tolist() == [True]


def test_a_singular_covariance_is_left_to_the_copula() -> None:
    copula = replace(make_copula(2, seed=2), covariance=np.ones((2, 2)))
    both = np.array([[3]], np.uint64)
    assert CompiledRegression(copula).attempt(both)[1].tolist() == [False]


def test_nothing_measured() -> None:
    copula = make_copula(3, seed=4)
    assert CompiledRegression(copula).of(np.array([[0]], np.uint64)).tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_hardly_any_pattern_is_left_to_the_copula() -> None:
    words, _ = patterns(40, 3000, seed=5)
    assert CompiledRegression(make_copula(40, seed=6)).attempt(words)[1].mean() > 0.98


def awkward(q: int, seed: int) -> Copula:
    """Unstructured correlations and an outcome that asks for as many wrong signs as right ones."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(q, q))
    covariance = loadings @ loadings.T / q + 0.1 * np.eye(q)
    spread = np.sqrt(np.diag(covariance))
    covariance /= spread[:, None] * spread
    covariance = (covariance + covariance.T) / 2.0
    outcome = covariance @ rng.normal(size=q)
    outcome *= 0.8 / np.sqrt(outcome @ np.linalg.solve(covariance, outcome))
    directions = np.ones(q, np.int64)
    return replace(make_copula(q, seed), covariance=covariance, with_outcome=outcome, directions=directions)


@pytest.mark.parametrize("seed", range(10))
def test_exchanging_one_at_a_time_ends_at_the_same_coefficients(seed: int) -> None:
    """The minimum is unique, so no patience with whole blocks at all must lead there too."""
    copula = awkward(25, seed)
    words, measured = patterns(25, 300, seed)
    rules = CompiledRegression(copula).rules._replace(patience=0)
    found, sure = signed_regressions(copula.covariance, copula.with_outcome, copula.directions, words, rules)
    assert sure.mean() > 0.9
    for row, there in zip(found[sure], measured[sure], strict=True):
        block, outcome = copula.covariance[np.ix_(there, there)], copula.with_outcome[there]
        expected = signed_regression(block, outcome, copula.directions[there])
        np.testing.assert_allclose(row[:-1][there], expected, rtol=0, atol=1e-12)
    assert_same(copula, words, measured)
