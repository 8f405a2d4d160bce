"""The blend: each part serves where it is strong, and one that adds nothing is left out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from model.blend import share_of_second
from model.fitted import WEIGHT_STEPS
from model.regressor import ProgressionRegressor


def weights(model: ProgressionRegressor) -> dict[str, float]:
    found = {part.kind: part.weight for part in model.model_.situations[0].location}
    assert sum(found.values()) == 1.0
    assert all(weight > 0 and (weight * WEIGHT_STEPS).is_integer() for weight in found.values())
    return found


def test_a_copula_world_goes_to_the_copula() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 1)) + rng.normal(size=(600, 12))
    y = np.exp(0.1 * X.sum(axis=1) + 0.3 * rng.normal(size=600))
    X[rng.random(X.shape) < 0.4] = np.nan
    assert weights(ProgressionRegressor().fit(X, y)).get("copula", 0.0) > 0.8


def test_a_world_of_steps_and_interactions_goes_to_the_trees() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1500, 6))
    y = 1.0 * ((np.abs(X[:, 0]) < 0.6) & (X[:, 1] > 0)) + 0.1 * rng.normal(size=1500)
    model = ProgressionRegressor().fit(X, y)
    assert weights(model) == {"trees": 1.0}
    assert set(model.booster_json_) >= {"location"}


def test_a_part_without_weight_is_left_out() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 30))
    y = X @ np.ones(30) + 0.1 * rng.normal(size=500)
    model = ProgressionRegressor().fit(X, y)
    assert weights(model) == {"copula": 1.0}
    assert "location" not in model.booster_json_
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("n", [2, 10, 45])
def test_a_small_cohort_has_trees_alone(n: int) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 4))
    assert weights(ProgressionRegressor().fit(X, X[:, 0])) == {"trees": 1.0}


def test_the_share_is_the_penalised_least_squares_one() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=200)
    first, second = 0.3 * y + 0.3 * rng.normal(size=200), 0.2 * y + 0.2 * rng.normal(size=200)
    for expected in (0.5, 0.8, 1.0):
        noise = np.mean((y - (1 - expected) * first - expected * second) ** 2)

        def loss(share: float, expected: float = expected, noise: float = noise) -> float:
            errors = y - (1 - share) * first - share * second
            return float(errors @ errors + noise * (share - expected) ** 2 / 0.15**2)

        best = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
        found = share_of_second(y, first, second, np.ones(200), expected)
        assert found == pytest.approx(best, abs=0.5 / WEIGHT_STEPS + 1e-6)


def test_the_residuals_are_of_the_blend_out_of_fold() -> None:
    """Outcomes of pure noise: in-sample estimates of either part would make the residuals too small."""
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(150, 40)), rng.normal(size=150)
    model = ProgressionRegressor().fit(X, y)
    assert model.model_.situations[0].scale.constant > 0.95 * np.abs(y - y.mean()).mean()


def test_the_same_data_give_the_same_numbers() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(120, 5))
    y = X[:, 0] + rng.normal(size=120)
    one, two = (ProgressionRegressor(random_state=3).fit(X, y).model_ for _ in range(2))
    for first, second in zip(one.situations[0].location, two.situations[0].location, strict=True):
        for name, array in first.source.to_arrays().items():
            assert array.tobytes() == second.source.to_arrays()[name].tobytes()
