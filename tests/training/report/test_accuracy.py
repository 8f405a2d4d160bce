"""Figures with intervals: each resample is what the drawn patients themselves would give."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import Forecasts, metrics
from training.paired import patient_draws
from training.report.accuracy import accuracy, calibration

RESAMPLES = 60


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, Forecasts, np.ndarray]:
    rng = np.random.default_rng(3)
    rate = rng.gamma(3, 0.25, 300)
    interval = np.column_stack([rate - 0.5, rate + 0.6])
    patient = np.array([f"p{number % 90:02}" for number in range(300)])
    return 0.2 + 0.7 * rate + 0.3 * rng.normal(size=300), Forecasts(rate, interval, 0.9), patient


def resampled(drawn, figure):
    """A figure of each resample, computed on the rows of the drawn patients, one after the other."""
    observed, forecasts, patient = drawn
    names = np.unique(patient)
    found = []
    for counts in patient_draws(patient, RESAMPLES, seed=1):
        rows = [row for name, count in zip(names, counts, strict=True) for row in [patient == name] * int(count)]
        at = np.concatenate([np.flatnonzero(row) for row in rows])
        found.append(figure(observed[at], Forecasts(forecasts.rate[at], forecasts.interval[at], 0.9)))
    return found


def test_every_metric_has_the_value_of_the_cohort_and_the_range_of_its_resamples(drawn) -> None:
    observed, forecasts, patient = drawn
    found = accuracy(observed, forecasts, patient, resamples=RESAMPLES, seed=1)
    expected = metrics(observed, forecasts)
    assert list(found) == list(expected)
    tables = resampled(drawn, metrics)
    for key, estimate in found.items():
        assert estimate.value == expected[key]
        ends = np.quantile([table[key] for table in tables], [0.025, 0.975])
        assert (estimate.lower, estimate.upper) == pytest.approx(tuple(ends), abs=1e-9)


def test_the_calibration_line_is_that_of_least_squares(drawn) -> None:
    observed, forecasts, patient = drawn
    found = calibration(observed, forecasts, patient, resamples=RESAMPLES, seed=1)
    lines = [
        np.polyfit(forecasts.rate, observed, 1),
        *resampled(drawn, lambda y, f: np.polyfit(f.rate, y, 1)),
    ]
    for position, estimate in enumerate((found.slope, found.intercept)):
        assert estimate.value == pytest.approx(lines[0][position], abs=1e-9)
        ends = np.quantile([line[position] for line in lines[1:]], [0.025, 0.975])
        assert (estimate.lower, estimate.upper) == pytest.approx(tuple(ends), abs=1e-9)
    assert found.bias.value == pytest.approx(forecasts.rate.mean() - observed.mean())
    assert sum(tenth.examples for tenth in found.tenths) == 300
    order = np.argsort(forecasts.rate)[:30]
    assert found.tenths[0].observed.value == pytest.approx(observed[order].mean())
    assert found.tenths[0].predicted == pytest.approx(forecasts.rate[order].mean())


def test_one_forecast_for_all_has_no_correlation_and_no_slope(drawn) -> None:
    observed, forecasts, patient = drawn
    same = Forecasts(np.full(300, 0.8), forecasts.interval, 0.9)
    found = accuracy(observed, same, patient, resamples=RESAMPLES, seed=1)
    assert found["correlation"].value is None
    assert found["rmse"].value is not None
    assert calibration(observed, same, patient, resamples=RESAMPLES, seed=1).slope.value is None
