"""Copulas of any size for the tests, and rows of all kinds for them."""

from __future__ import annotations

import numpy as np

from model.copula import Copula
from model.normal_scores import NormalScores, OutcomeScores

Knots = tuple[np.ndarray, np.ndarray]


def increasing(rng: np.random.Generator, count: int, first: float) -> np.ndarray:
    return first + np.cumsum(rng.uniform(0.01, 1.0, count))


def make_copula(q: int, seed: int, noise: float = 0.4) -> Copula:
    """Inputs and outcome share three factors; the less noise of their own, the worse the covariance's condition."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(q + 1, 3))
    joint = loadings @ loadings.T + noise * np.diag(rng.uniform(0.5, 1.5, q + 1))
    spread = np.sqrt(np.diag(joint))
    joint /= spread[:, None] * spread
    joint = (joint + joint.T) / 2.0
    positions = np.sort(rng.choice(q + 3, q, replace=False))
    knots: list[Knots] = []
    for count in rng.integers(2, 66, q):
        knots.append((increasing(rng, count, -5.0), increasing(rng, count, -3.0)))
    outcome = OutcomeScores(increasing(rng, 150, -1.0), np.linspace(-3.0, 3.0, 150) + rng.uniform(0, 0.01, 150))
    return Copula(
        n_features=q + 3,
        grid=34,
        positions=positions,
        directions=rng.integers(-1, 2, q),
        inputs=NormalScores.of(knots),
        outcome=outcome,
        covariance=np.ascontiguousarray(joint[:q, :q]),
        with_outcome=np.ascontiguousarray(joint[:q, q]),
    )


def make_rows(copula: Copula, n: int, seed: int, missing: float = 0.4) -> np.ndarray:
    """Values within and beyond the knots, on them, and not measured."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, copula.n_features))
    for j, at in enumerate(copula.positions):
        knots = copula.inputs.values[j][np.isfinite(copula.inputs.values[j])]
        between = rng.uniform(knots[0] - 1.0, knots[-1] + 1.0, n)
        rows[:, at] = np.where(rng.random(n) < 0.3, rng.choice(knots, n), between)
    rows[rng.random(rows.shape) < missing] = np.nan
    return rows
