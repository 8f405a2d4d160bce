"""Metrics against scikit-learn and scipy, and Winkler's score by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from training.metrics import FEWEST_IN_BAND, Forecasts, by_band, metrics


@pytest.fixture
def made() -> tuple[np.ndarray, Forecasts]:
    rng = np.random.default_rng(0)
    rate = rng.gamma(2.0, 0.4, 300)
    observed = rate + 0.3 * rng.normal(size=300)
    half = rng.uniform(0.2, 0.8, 300)
    return observed, Forecasts(rate, np.column_stack([rate - half, rate + half]), 0.9)


def test_against_scikit_learn(made: tuple[np.ndarray, Forecasts]) -> None:
    observed, forecasts = made
    found = metrics(observed, forecasts)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(observed, forecasts.rate))
    assert found["mae"] == pytest.approx(mean_absolute_error(observed, forecasts.rate))
    assert found["r2"] == pytest.approx(r2_score(observed, forecasts.rate))
    assert found["correlation"] == pytest.approx(stats.pearsonr(observed, forecasts.rate).statistic)


def test_winkler_s_score_by_hand() -> None:
    """Coverage 0.8, so a point outside costs 2 / 0.2 = 10 times how far out it is.

    Widths 2, 2, 2 and 4; outside by 0, 0.5 (above), 1 (below) and 0: scores 2, 7, 12 and 4, 6.25 in the mean.
    """
    interval = np.array([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0], [-1.0, 3.0]])
    observed = np.array([1.0, 2.5, -1.0, 3.0])
    found = metrics(observed, Forecasts(np.ones(4), interval, 0.8))
    assert found["interval_score"] == pytest.approx(6.25)
    assert found["interval_width"] == 2.5
    assert found["coverage"] == 0.5  # an end counts as inside


def test_the_interval_score_is_least_for_the_true_quantiles() -> None:
    """It is a proper score: over many draws neither a wider nor a narrower interval does better (Gneiting 2007)."""
    observed = np.random.default_rng(1).normal(size=40_000)
    scores = {}
    for half in (1.2, 1.5, stats.norm.ppf(0.95), 1.8, 2.2):
        interval = np.tile([-half, half], (len(observed), 1))
        scores[half] = metrics(observed, Forecasts(np.zeros(len(observed)), interval, 0.9))["interval_score"]
    assert min(scores, key=scores.__getitem__) == stats.norm.ppf(0.95)


def test_what_does_not_vary_correlates_with_nothing() -> None:
    interval = np.array([[0.0, 1.0]] * 3)
    found = metrics(np.array([0.2, 0.4, 0.9]), Forecasts(np.full(3, 0.5), interval, 0.9))
    assert math.isnan(found["correlation"])
    assert found["r2"] == pytest.approx(0.0)
    same = metrics(np.full(3, 0.5), Forecasts(np.array([0.4, 0.5, 0.6]), interval, 0.9))
    assert math.isnan(same["r2"])
    assert math.isnan(same["correlation"])


def test_bands_part_at_half_a_point_and_one_point() -> None:
    """slow < 0.5 <= intermediate <= 1.0 < fast."""
    rate = np.repeat([0.49, 0.5, 1.0, 1.01], [20, 21, 22, 23])
    forecasts = Forecasts(rate, np.column_stack([rate - 1, rate + 1]), 0.9)
    found = by_band(rate + 0.1, forecasts)
    assert {band: values["examples"] for band, values in found.items()} == {
        "slow": 20.0,
        "intermediate": 43.0,
        "fast": 23.0,
    }


def test_a_band_of_a_few_is_not_judged(made: tuple[np.ndarray, Forecasts]) -> None:
    rate = np.repeat([0.2, 0.7], [FEWEST_IN_BAND - 1, FEWEST_IN_BAND])
    forecasts = Forecasts(rate, np.column_stack([rate - 1, rate + 1]), 0.9)
    assert set(by_band(rate, forecasts)) == {"intermediate"}


def test_a_band_s_metrics_are_those_of_its_part(made: tuple[np.ndarray, Forecasts]) -> None:
    observed, forecasts = made
    fast = forecasts.rate > 1.0
    part = Forecasts(forecasts.rate[fast], forecasts.interval[fast], 0.9)
    assert by_band(observed, forecasts)["fast"] == {"examples": fast.sum(), **metrics(observed[fast], part)}
