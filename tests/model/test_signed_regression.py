"""Regression held to signs, against scipy's non-negative least squares and against its own conditions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from model.signed_regression import signed_regression


def moments(q: int, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of q strongly correlated inputs, and with an outcome."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(q, 2))
    return factors @ factors.T + noise * np.eye(q), factors @ rng.normal(size=2) + rng.normal(size=q)


@given(st.integers(1, 25), st.integers(0, 10_000))
@settings(deadline=None)
def test_all_held_is_non_negative_least_squares(q: int, seed: int) -> None:
    covariance, with_outcome = moments(q, seed)
    root = np.linalg.cholesky(covariance).T
    expected, _ = nnls(root, np.linalg.solve(root.T, with_outcome))
    found = signed_regression(covariance, with_outcome, np.ones(q, np.int64))
    np.testing.assert_allclose(found, expected, atol=1e-8)
    mirrored = signed_regression(covariance, -with_outcome, -np.ones(q, np.int64))
    np.testing.assert_allclose(mirrored, -expected, atol=1e-8)


@given(st.integers(1, 60), st.integers(0, 10_000), st.sampled_from([1e-6, 0.5]))
@settings(deadline=None)
def test_the_conditions_of_the_least_hold(q: int, seed: int, noise: float) -> None:
    """Karush, Kuhn and Tucker: no gradient in what is free, none that would help in what is held at 0."""
    covariance, with_outcome = moments(q, seed, noise)
    directions = np.random.default_rng(seed).integers(-1, 2, q)
    found = signed_regression(covariance, with_outcome, directions)
    gradient = with_outcome - covariance @ found
    assert (directions * found >= 0).all()
    free = (directions == 0) | (found != 0)
    np.testing.assert_allclose(gradient[free], 0, atol=1e-6)
    assert (directions * gradient <= 1e-6).all()


def test_nothing_held_is_least_squares() -> None:
    covariance, with_outcome = moments(8, seed=1)
    found = signed_regression(covariance, with_outcome, np.zeros(8, np.int64))
    np.testing.assert_allclose(found, np.linalg.solve(covariance, with_outcome), rtol=1e-10)


def test_nothing_measured() -> None:
    assert signed_regression(np.zeros((0, 0)), np.zeros(0), np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("seed", range(5))
def test_many_near_duplicates_end(seed: int) -> None:
    """Ninety copies of three scores with hardly any noise: where exchanging blocks could go round in circles."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(400, 3))
    inputs = np.repeat(base, 30, axis=1) + 1e-3 * rng.normal(size=(400, 90))
    covariance = inputs.T @ inputs / 400 + 1e-3 * np.eye(90)
    found = signed_regression(covariance, inputs.T @ rng.normal(size=400) / 400, np.ones(90, np.int64))
    assert (found >= 0).all()
