"""Cross-validation: no patient on both sides, baselines as they should be, and nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from features.matrix import DesignMatrix
from model.regressor import ProgressionRegressor
from training.baselines import BASELINES, delta_fs_alone, mean_rate
from training.evaluation import MODEL, Evaluation, evaluate
from training.examples import Examples
from training.metrics import metrics

PATIENTS, VISITS = 120, 3
COLUMNS = ("delta_fs", "crp_mg_l", "nfl_pg_ml")


def made(seed: int = 0) -> Examples:
    """Three visits a patient; the rate follows delta-FS and NfL, CRP says nothing."""
    rng = np.random.default_rng(seed)
    delta, nfl = rng.gamma(3, 0.3, PATIENTS), rng.lognormal(4, 0.5, PATIENTS)
    rate = 0.2 + 0.4 * delta + 0.3 * np.log(nfl / 55) + 0.2 * rng.normal(size=PATIENTS)
    X = np.column_stack([delta, rng.lognormal(1, 1, PATIENTS), nfl]).repeat(VISITS, axis=0)
    X *= rng.lognormal(0, 0.05, X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    patient = np.array([f"p{number:03}" for number in range(PATIENTS)]).repeat(VISITS)
    y = rate.repeat(VISITS) + 0.05 * rng.normal(size=PATIENTS * VISITS)
    return Examples(DesignMatrix(COLUMNS), X, y, np.full(len(y), 0.1), patient, np.full(len(y), ""))


def small() -> ProgressionRegressor:
    return ProgressionRegressor(n_trees=150, learning_rate=0.1, n_folds=3, min_child_share=0.02, reg_lambda=1.0)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return made()


@pytest.fixture(scope="module")
def evaluation(examples: Examples) -> Evaluation:
    return evaluate(examples, small, n_folds=3, seed=1)


def test_no_patient_is_on_both_sides(examples: Examples, evaluation: Evaluation) -> None:
    for patient in np.unique(examples.patient):
        assert len(set(evaluation.folds[examples.patient == patient].tolist())) == 1
    assert evaluation.method == "3-fold cross-validation grouped by patient"


def test_sites_are_kept_whole_where_there_are_enough(examples: Examples) -> None:
    site = np.char.add("site ", (np.arange(PATIENTS) % 6).astype(str)).repeat(VISITS)
    sited = replace(examples, site=site)
    found = evaluate(sited, small, n_folds=3, seed=1)
    assert found.method == "3-fold cross-validation grouped by site"
    for name in np.unique(site):
        assert len(set(found.folds[site == name].tolist())) == 1
    for few in (np.where(site > "site 3", "site 0", site), np.where(site == "site 3", "", site)):
        assert replace(examples, site=few).grouped_by == "patient"


def test_a_patient_who_moved_is_not_split_between_sites(examples: Examples) -> None:
    site = np.char.add("site ", (np.arange(PATIENTS) % 6).astype(str)).repeat(VISITS)
    site[1] = "site 5"  # the first patient's second visit
    moved = replace(examples, site=site)
    assert moved.groups[:VISITS].tolist() == ["site 0"] * VISITS
    assert moved.groups[VISITS:].tolist() == site[VISITS:].tolist()


def test_every_example_is_forecast_once_by_every_model(evaluation: Evaluation) -> None:
    assert set(evaluation.forecasts) == {MODEL, "mean", "delta-FS alone"}
    for forecasts in evaluation.forecasts.values():
        assert np.isfinite(forecasts.rate).all()
        assert np.isfinite(forecasts.interval).all()
        assert (forecasts.interval[:, 0] < forecasts.interval[:, 1]).all()


def test_the_forecast_of_a_fold_is_that_of_a_fit_on_the_others(examples: Examples, evaluation: Evaluation) -> None:
    test = evaluation.folds == 1
    model = small().fit(examples.X[~test], examples.y[~test], groups=examples.patient[~test])
    np.testing.assert_array_equal(evaluation.forecasts[MODEL].rate[test], model.predict(examples.X[test]))
    np.testing.assert_array_equal(
        evaluation.forecasts[MODEL].interval[test], model.predict_interval(examples.X[test], 0.9)
    )


def test_it_learns_what_there_is_and_covers(evaluation: Evaluation) -> None:
    overall = evaluation.overall
    assert overall[MODEL]["r2"] > overall["delta-FS alone"]["r2"] > overall["mean"]["r2"]
    for found in overall.values():
        assert found["coverage"] == pytest.approx(0.9, abs=0.05)
    assert overall[MODEL]["interval_width"] < overall["mean"]["interval_width"]
    assert overall[MODEL] == metrics(evaluation.observed, evaluation.forecasts[MODEL])


def test_the_mean_explains_nothing(examples: Examples, evaluation: Evaluation) -> None:
    assert -0.1 < evaluation.overall["mean"]["r2"] <= 0
    for fold in range(3):
        test = evaluation.folds == fold
        assert set(evaluation.forecasts["mean"].rate[test]) == {examples.y[~test].mean()}


def test_delta_fs_alone_is_a_straight_line(examples: Examples) -> None:
    train = np.arange(len(examples.y)) % 4 > 0
    x = examples.feature("delta_fs")
    known = train & ~np.isnan(x)
    line = stats.linregress(x[known], examples.y[known])
    found = delta_fs_alone(examples, train, ~train, 0.9)
    filled = np.where(np.isnan(x), x[known].mean(), x)[~train]
    np.testing.assert_allclose(found.rate, line.intercept + line.slope * filled)


def test_without_delta_fs_its_baseline_is_the_mean(examples: Examples) -> None:
    bare = replace(examples, matrix=DesignMatrix(("age_years", *COLUMNS[1:])))
    train = np.arange(len(bare.y)) % 4 > 0
    np.testing.assert_array_equal(
        delta_fs_alone(bare, train, ~train, 0.9).rate, mean_rate(bare, train, ~train, 0.9).rate
    )


def test_a_baseline_never_sees_the_rates_it_is_tested_on(examples: Examples) -> None:
    train = np.arange(len(examples.y)) % 4 > 0
    spoilt = replace(examples, y=np.where(train, examples.y, 1e6))
    for forecast in BASELINES.values():
        clean, other = (forecast(x, train, ~train, 0.9) for x in (examples, spoilt))
        np.testing.assert_array_equal(clean.rate, other.rate)
        np.testing.assert_array_equal(clean.interval, other.interval)


def test_a_canary_that_only_a_leak_could_hear(examples: Examples) -> None:
    """Rates that are noise by patient, and a marker that names the patient: across patients it says nothing."""
    rng = np.random.default_rng(2)
    y = rng.normal(1, 0.5, PATIENTS).repeat(VISITS)
    name = rng.permutation(PATIENTS).astype(float).repeat(VISITS)
    canary = replace(examples, y=y, X=np.column_stack([name, examples.X[:, 1:]]))
    leaking = replace(canary, patient=np.arange(len(y)).astype(str))
    grouped, leaked = (evaluate(x, small, n_folds=3, seed=1).overall[MODEL]["r2"] for x in (canary, leaking))
    assert grouped < 0
    assert leaked > grouped + 0.1  # the canary does sing where visits of a patient are on both sides


def test_the_same_seed_gives_the_same_forecasts(examples: Examples, evaluation: Evaluation) -> None:
    again = evaluate(examples, small, n_folds=3, seed=1)
    np.testing.assert_array_equal(again.forecasts[MODEL].rate, evaluation.forecasts[MODEL].rate)
    np.testing.assert_array_equal(again.forecasts[MODEL].interval, evaluation.forecasts[MODEL].interval)


def test_progress_is_told_by_fold(examples: Examples) -> None:
    told: list[str] = []
    evaluate(examples, small, n_folds=2, seed=1, progress=told.append)
    assert told == ["fold 1 of 2 evaluated", "fold 2 of 2 evaluated"]
