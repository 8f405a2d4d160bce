"""The copula regression: the normal distribution's own formulas, exact shares, biology's signs, any batch."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from model.boosting import BoosterSettings, fit_booster
from model.copula import Copula
from model.copula_fit import em, fit_copula, towards_naive_bayes
from model.fitted import FittedModel, Part, ScaleModel, Situation
from model.tables import TreeTables

CORRELATIONS = np.array(
    [
        [1.0, 0.6, 0.3, 0.0, 0.5],
        [0.6, 1.0, 0.2, 0.1, 0.45],
        [0.3, 0.2, 1.0, 0.4, -0.3],
        [0.0, 0.1, 0.4, 1.0, 0.1],
        [0.5, 0.45, -0.3, 0.1, 1.0],
    ]
)  # the last is the outcome
DIRECTIONS = (1, 1, -1, 0)


def draw(n: int, seed: int, missing: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with gaps, lognormal rates, and the outcome's true conditional mean."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 5)) @ np.linalg.cholesky(CORRELATIONS).T
    X = scores[:, :4].copy()
    X[:, 1] = np.exp(X[:, 1])
    X[rng.random(X.shape) < missing] = np.nan
    there = ~np.isnan(X)
    mean, spread = np.zeros(n), np.ones(n)
    for i, measured in enumerate(there):
        b = np.linalg.solve(CORRELATIONS[:4, :4][np.ix_(measured, measured)], CORRELATIONS[4, :4][measured])
        mean[i], spread[i] = b @ scores[i, :4][measured], 1 - b @ CORRELATIONS[4, :4][measured]
    best = np.exp(0.5 * mean + 0.125 * spread)  # of a lognormal of log SD 0.5
    return X, np.exp(0.5 * scores[:, 4]), best


def fit(n: int = 2000, seed: int = 1) -> Copula:
    X, y, _ = draw(n, seed)
    copula = fit_copula(X, y, np.ones(n), directions=DIRECTIONS)
    assert copula is not None
    return copula


COPULA = fit()
ROWS = draw(300, seed=2)[0]


# --------------------------------------------------------------------------------------------------------- learning


def test_em_of_complete_rows_is_mean_and_covariance() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4)) @ np.diag([1.0, 2.0, 3.0, 4.0]) + 1
    found = em(rows, np.ones(50), prior=0.0, iterations=1)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), atol=1e-12)


def test_em_of_one_gap_is_the_closed_form() -> None:
    """Two columns, the second missing at times: regression on the first gives the maximum (Anderson 1957)."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = 0.7 * x + rng.normal(size=400)
    there = rng.random(400) < norm.cdf(x)  # missing depends on x, which is seen: at random, not completely
    found = em(np.column_stack([x, np.where(there, y, np.nan)]), np.ones(400), prior=0.0, iterations=200)
    slope, offset = np.polyfit(x[there], y[there], 1)
    left = np.var(y[there] - offset - slope * x[there])
    mean = offset + slope * x.mean()
    np.testing.assert_allclose(found.mean, [x.mean(), mean], atol=1e-6)
    expected = [[x.var(), slope * x.var()], [slope * x.var(), left + slope**2 * x.var()]]
    np.testing.assert_allclose(found.covariance, expected, atol=1e-6)


def test_em_finds_the_known_covariance_through_gaps() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(20_000, 5)) @ np.linalg.cholesky(CORRELATIONS).T
    gaps = rng.random(rows.shape) < 0.4
    gaps[:, 1] |= rows[:, 0] > 0.5  # and by the value of another column
    gaps[:, 0] = False
    found = em(np.where(gaps, np.nan, rows), np.ones(20_000), prior=5.0, iterations=30)
    np.testing.assert_allclose(found.covariance, CORRELATIONS, atol=0.04)
    np.testing.assert_allclose(found.mean, 0, atol=0.04)


def test_em_counts_a_weight_as_so_many_rows() -> None:
    X = draw(80, seed=5)[0]
    weight = np.random.default_rng(6).integers(1, 4, 80)
    weighted = em(X, weight.astype(float), prior=4.0)
    repeated = em(np.repeat(X, weight, axis=0), np.ones(weight.sum()), prior=4.0)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, atol=1e-10)


def test_shrinking_to_naive_bayes_leaves_what_each_input_says_of_the_outcome() -> None:
    """And at the end inputs are independent given the outcome: the precision matrix has no entry between two."""
    found = towards_naive_bayes(CORRELATIONS, 1.0)
    assert np.array_equal(found[-1], CORRELATIONS[-1])
    assert np.array_equal(np.diag(found), np.diag(CORRELATIONS))
    between = np.linalg.inv(found)[:-1, :-1]
    np.testing.assert_allclose(between, np.diag(np.diag(between)), atol=1e-12)
    np.testing.assert_allclose(towards_naive_bayes(CORRELATIONS, 0.0), CORRELATIONS, atol=1e-15)


def test_reaches_the_best_possible_prediction() -> None:
    X, y, best = draw(8000, seed=7)
    found = COPULA.estimate(X) * COPULA.unit
    reached = (np.var(y) - np.mean((y - found) ** 2)) / (np.var(y) - np.mean((y - best) ** 2))
    assert reached > 0.97
    assert np.sqrt(np.mean((found - best) ** 2)) < 0.04


@pytest.mark.parametrize("column", [np.nan, 3.0])
def test_columns_that_say_nothing_are_no_inputs(column: float) -> None:
    X, y, _ = draw(200, seed=8)
    wider = np.insert(X, 2, column, axis=1)
    copula = fit_copula(wider, y, np.ones(200), directions=(1, 1, 0, -1, 0))
    without = fit_copula(X, y, np.ones(200), directions=DIRECTIONS)
    assert copula.positions.tolist() == [0, 1, 3, 4]
    assert np.array_equal(copula.estimate(wider), without.estimate(X))
    assert (copula.contributions(wider)[:, 2] == 0).all()


def test_no_copula_of_too_little() -> None:
    X, y, _ = draw(60, seed=9)
    ones = np.ones(60)
    assert fit_copula(X[:39], y[:39], ones[:39], directions=DIRECTIONS) is None
    assert fit_copula(X, np.full(60, 0.7), ones, directions=DIRECTIONS) is None
    assert fit_copula(np.full((60, 4), np.nan), y, ones, directions=DIRECTIONS) is None


def test_copies_of_a_column_do_not_break_it() -> None:
    X, y, _ = draw(300, seed=10)
    copies = np.tile(X, 5)
    copula = fit_copula(copies, y, np.ones(300), directions=DIRECTIONS * 5)
    coefficients, _ = copula.regression(np.ones(20, np.bool_))
    assert np.abs(coefficients).max() < 1
    assert np.corrcoef(copula.estimate(copies), COPULA.estimate(X))[0, 1] > 0.97


# -------------------------------------------------------------------------------------------------------- answering


def test_coefficients_are_those_of_the_multivariate_normal() -> None:
    free = replace(COPULA, directions=np.zeros(4, np.int64))
    for pattern in ([1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1]):
        measured = np.array(pattern, np.bool_)
        coefficients, spread = free.regression(measured)
        block, with_outcome = COPULA.covariance[np.ix_(measured, measured)], COPULA.with_outcome[measured]
        np.testing.assert_allclose(coefficients[measured], np.linalg.inv(block) @ with_outcome, atol=1e-7)
        expected = np.sqrt(1 - with_outcome @ np.linalg.inv(block) @ with_outcome)
        assert spread == pytest.approx(expected, abs=1e-7)
        assert (coefficients[~measured] == 0).all()


def test_the_estimate_is_the_mean_over_the_conditional_distribution() -> None:
    for row in ROWS[:10]:
        coefficients, spread = COPULA.regression(~np.isnan(row))
        m = float(coefficients @ COPULA.inputs.scores_of(row[None, :])[0])
        errors = np.linspace(-8, 8, 20_001)
        expected = np.trapezoid(COPULA.outcome.values_at(m + spread * errors) * norm.pdf(errors), errors)
        assert COPULA.estimate(row[None, :])[0] * COPULA.unit == pytest.approx(expected, abs=0.005)


def test_nothing_measured_is_the_mean_rate() -> None:
    nothing = np.full((1, 4), np.nan)
    y = draw(2000, seed=1)[1]
    assert COPULA.estimate(nothing)[0] * COPULA.unit == pytest.approx(y.mean(), rel=0.01)
    assert COPULA.contributions(nothing)[0, :4].tolist() == [0, 0, 0, 0]


def test_contributions_add_up_exactly_and_what_was_not_measured_has_none() -> None:
    found = COPULA.contributions(ROWS)
    assert np.array_equal(found.sum(axis=1), COPULA.estimate(ROWS))
    assert (found[:, :4][np.isnan(ROWS)] == 0).all()
    assert (found[:, :4][~np.isnan(ROWS)] != 0).mean() > 0.9


def test_contributions_are_the_integral_along_the_path() -> None:
    """Aumann and Shapley: the rise through one input on the straight way from the average patient to this one."""
    for row in ROWS[:6]:
        coefficients, spread = COPULA.regression(~np.isnan(row))
        parts = coefficients * COPULA.inputs.scores_of(row[None, :])[0]
        steps = np.linspace(0, 1, 4001) * parts.sum()
        h = COPULA._mean(steps, np.full(4001, spread)) * COPULA.unit
        slopes = np.diff(h) / np.diff(steps)  # of h, on each stretch of the path
        expected = [float(np.sum(slopes * part / 4000)) for part in parts]
        np.testing.assert_allclose(COPULA.contributions(row[None, :])[0, :4] * COPULA.unit, expected, atol=1e-8)


def test_contributions_of_scores_that_cancel() -> None:
    """m = 0 but for rounding: the shares are the slope of h at 0 times the scores, and add up to nothing."""
    row = np.array([[1.0, np.nan, np.nan, np.nan]])
    coefficients, _ = COPULA.regression(np.array([True, False, True, False]))
    share = float(coefficients[0] * COPULA.inputs.scores_of(np.array([[1.0] + [0.0] * 3]))[0, 0])
    grid = np.linspace(-3, 3, 60_001)
    scores = COPULA.inputs.scores_of(np.column_stack([grid] * 4))[:, 2] * coefficients[2]
    row[0, 2] = grid[np.argmin(np.abs(scores + share))]
    shares = COPULA.contributions(row)[0] * COPULA.unit
    assert shares[0] > 0.05
    assert shares[0] == pytest.approx(-shares[2], rel=0.02)


@given(st.lists(st.integers(0, 299), min_size=1, max_size=40))
@settings(deadline=None)
def test_a_row_alone_is_the_row_in_a_batch(chosen: list[int]) -> None:
    fresh = replace(COPULA)  # with a cache of its own
    batch = ROWS[chosen]
    together, shares = fresh.estimate(batch), fresh.contributions(batch)
    for i in range(len(batch)):
        assert COPULA.estimate(batch[i : i + 1])[0] == together[i]
        assert np.array_equal(COPULA.contributions(batch[i : i + 1])[0], shares[i])


@given(st.integers(0, 299), st.sampled_from([0, 1, 2]), st.lists(st.floats(-20, 20), min_size=2, max_size=50))
@settings(deadline=None)
def test_never_against_biology_by_a_single_bit(which: int, feature: int, sweep: list[float]) -> None:
    along = np.tile(ROWS[which], (len(sweep), 1))
    along[:, feature] = sorted(sweep)
    estimates, shares = COPULA.estimate(along), COPULA.contributions(along)[:, feature]
    assert (DIRECTIONS[feature] * np.diff(estimates) >= 0).all()
    scores = COPULA.inputs.scores_of(along)[:, feature]
    assert (DIRECTIONS[feature] * shares * scores >= -1).all()  # one unit of rounding


def test_a_suppressor_is_not_turned_against_biology() -> None:
    """Given its better copy, least squares would give the worse one the wrong sign."""
    correlations = np.array([[1.0, 0.9], [0.9, 1.0]])
    copula = replace(
        COPULA,
        n_features=2,
        positions=np.arange(2),
        directions=np.array([1, 1]),
        covariance=correlations,
        with_outcome=np.array([0.6, 0.4]),
        inputs=replace(COPULA.inputs, values=COPULA.inputs.values[:2], scores=COPULA.inputs.scores[:2]),
    )
    assert np.linalg.solve(correlations, [0.6, 0.4])[1] < 0
    both, spread = copula.regression(np.array([True, True]))
    np.testing.assert_allclose([*both, spread], [0.6, 0.0, 0.8], atol=1e-7)
    assert copula.regression(np.array([False, True]))[0][1] == pytest.approx(0.4, abs=1e-7)


# ------------------------------------------------------------------------------------------------------- in a model


def test_parts_add_up_to_the_last_bit() -> None:
    X, y, _ = draw(400, seed=11)
    tables = TreeTables.from_booster_json(fit_booster(X, y, np.ones(len(y)), BoosterSettings(n_trees=40)))
    trees = Part(0.5, tables)
    copula = Part(0.5, fit_copula(X, y, np.ones(len(y)), directions=DIRECTIONS, finest=tables.grid))
    for weight in (1 / 64, 0.5, 63 / 64):
        parts = (replace(trees, weight=1 - weight), replace(copula, weight=weight))
        situation = Situation(parts, ScaleModel(1.0, 0.1, None), np.array([0.0]))
        model = FittedModel(("a", "b", "c", "d"), (situation,), ())
        shares = model.contributions(ROWS)
        assert np.array_equal(shares.sum(axis=1), model.estimate(ROWS))
        assert np.array_equal(shares[:, ::-1].cumsum(axis=1)[:, -1], model.estimate(ROWS))


def test_survives_arrays_and_pickle() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **COPULA.to_arrays())
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False) as archive:
        again = Copula.from_arrays(dict(archive))
    for other in (again, pickle.loads(pickle.dumps(COPULA))):  # pickled only within a search over settings
        assert np.array_equal(other.contributions(ROWS), COPULA.contributions(ROWS))


WRONG = {
    "n_features": 2,
    "grid": 60,
    "positions": [0, 1, 1, 3],
    "directions": [1, 1, 2, 0],
    "outcome_values": COPULA.outcome.values[::-1],
    "outcome_scores": np.full_like(COPULA.outcome.scores, np.nan),
    "input_values": COPULA.inputs.values[:, ::-1],
    "input_scores": COPULA.inputs.scores[:, :-1],
    "covariance": COPULA.covariance - 2 * np.eye(4),
    "with_outcome": np.full(4, np.inf),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_make_no_copula(name: str) -> None:
    arrays = COPULA.to_arrays()
    arrays[name] = np.ascontiguousarray(np.asarray(WRONG[name], arrays[name].dtype)).reshape(np.shape(WRONG[name]))
    with pytest.raises(
        ValueError, match=r"positive definite|positions" if name in ("covariance", "n_features") else name
    ):
        Copula.from_arrays(arrays)


def test_arrays_of_another_kind() -> None:
    arrays = COPULA.to_arrays()
    with pytest.raises(ValueError, match="covariance is float32"):
        Copula.from_arrays({**arrays, "covariance": COPULA.covariance.astype(np.float32)})
    del arrays["grid"]
    with pytest.raises(ValueError, match="a copula has the arrays"):
        Copula.from_arrays(arrays)
    with pytest.raises(ValueError, match=r"rows have shape \(1, 3\); expected \(n, 4\)"):
        COPULA.estimate(np.zeros((1, 3)))
