"""The paired bootstrap, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import Forecasts
from training.paired import difference, figures, patient_draws


def test_the_bootstrap_draws_patients() -> None:
    """By hand: two patients, one drawn twice and the other not at all."""
    observed = np.array([1.0, 3.0, 5.0])
    interval = np.array([[0.0, 2.0], [0.0, 2.0], [4.0, 8.0]])
    forecasts = Forecasts(np.array([1.0, 2.0, 3.0]), interval, 0.9)
    found = figures(observed, forecasts, ["a", "a", "b"], np.array([[2.0, 0.0]]))
    assert found["rmse"] == pytest.approx([np.sqrt(5 / 3), np.sqrt(1 / 2)])
    assert found["coverage"] == pytest.approx([2 / 3, 1 / 2])
    assert found["interval_width"] == pytest.approx([8 / 3, 2.0])
    assert found["interval_score"] == pytest.approx([8 / 3 + 20 / 3, 2.0 + 10.0])
    assert found["r2"] == pytest.approx([1 - 5 / 8, 1 - 0.5 / 1.0])


def test_every_resample_has_as_many_patients_as_the_cohort() -> None:
    draws = patient_draws(["b", "a", "b", "c"], 50, seed=0)
    assert draws.shape == (50, 3)
    assert (draws.sum(axis=1) == 3).all()


def test_a_difference_is_clear_when_its_interval_leaves_zero_out() -> None:
    made = difference(np.array([-1.0, *np.linspace(-2.0, -0.5, 101)]))
    assert (made.estimate, made.clear) == (-1.0, True)
    assert made.lower == pytest.approx(np.quantile(np.linspace(-2.0, -0.5, 101), 0.025))
    assert not difference(np.array([-1.0, *np.linspace(-2.0, 0.5, 101)])).clear
