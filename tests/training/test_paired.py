"""The paired bootstrap, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import Forecasts
from training.paired import Difference, difference, figures, patient_draws, widened


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


def test_folds_widen_an_interval_by_the_corrected_t_test_and_never_narrow_it() -> None:
    """By hand: variance 1 over 5 folds, (1/5 + 1/4) of it; t with 4 degrees of freedom is 2.776 at 97.5 %."""
    folds = np.array([-1.0, -1.0, 0.0, 1.0, 1.0])
    made = widened(Difference(0.5, 0.4, 0.6), folds)
    half = 2.7764451 * np.sqrt(0.45 * 1.0)
    assert (made.lower, made.upper) == pytest.approx((0.5 - half, 0.5 + half))
    assert not made.clear
    assert widened(Difference(0.5, -9.0, 9.0), folds) == Difference(0.5, -9.0, 9.0)
