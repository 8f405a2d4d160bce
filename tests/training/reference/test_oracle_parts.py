"""What the oracle is built of, each against scipy or brute force."""

import numpy as np
import pytest
from scipy import stats

from training.reference.interval_evidence import NOTHING, readings, truncated_moments
from training.reference.marginal import Marginal
from training.reference.rate_mixture import RateMixture
from training.reference.reference_cohort import draw
from training.reference.reference_constants import reference_constants
from training.reference.score_intervals import score_intervals

COVARIANCE = np.array([[1.0, 0.5, -0.3, 0.4], [0.5, 1.0, 0.2, 0.3], [-0.3, 0.2, 1.0, 0.1], [0.4, 0.3, 0.1, 1.0]])


def conditioned(low, high):
    """Mean and variance of the last score, which has no reading, given intervals of the others."""
    value, variance = readings(COVARIANCE[None], np.array([[*low, -np.inf]]), np.array([[*high, np.inf]]))
    gain = np.linalg.solve(COVARIANCE + np.diag(variance[0]), COVARIANCE[:, 3])
    return gain @ value[0], 1.0 - gain @ COVARIANCE[:, 3]


def test_exact_readings_condition_as_scipys_normal_does():
    """The density of the last score given the others: scipy's joint density, normalised on a grid."""
    at = np.array([0.7, -1.2, 0.4])
    mean, variance = conditioned(at - 1e-6, at + 1e-6)
    grid = np.linspace(-8, 8, 4001)
    joint = stats.multivariate_normal(np.zeros(4), COVARIANCE).pdf(
        np.column_stack([np.broadcast_to(at, (len(grid), 3)), grid])
    )
    joint /= joint.sum()
    expected = joint @ grid
    assert mean == pytest.approx(expected, abs=1e-7)
    assert variance == pytest.approx(joint @ (grid - expected) ** 2, abs=1e-7)


@pytest.mark.parametrize(
    ("low", "high", "allowed"),
    [
        ((-np.inf, -np.inf, -np.inf), (-1.0, np.inf, np.inf), 0.0),
        ((0.3, 0.45, -np.inf), (0.5, 0.55, np.inf), 0.0005),
        ((-np.inf, 0.5, -np.inf), (-1.0, np.inf, np.inf), 0.01),
        ((0.2, -np.inf, -0.5), (1.3, -0.4, 0.5), 0.01),
    ],
)
def test_intervals_condition_as_rejection_does(low, high, allowed):
    """Draws that lie within all intervals. One interval is exact; of several, correlated 0.2-0.5, nearly so."""
    generator = np.random.default_rng(1)
    drawn = generator.multivariate_normal(np.zeros(4), COVARIANCE, size=1_000_000, method="cholesky")
    inside = ((drawn[:, :3] >= low) & (drawn[:, :3] <= high)).all(axis=1)
    last = drawn[inside, 3]
    mean, variance = conditioned(low, high)
    assert len(last) > 3_000
    assert mean == pytest.approx(last.mean(), abs=4 * last.std() / np.sqrt(len(last)) + allowed)
    assert variance == pytest.approx(last.var(), abs=6 * last.var() / np.sqrt(len(last)) + allowed)


def test_a_narrow_interval_is_a_reading_of_a_uniform():
    """The error of that: against the exact moments of the cut normal, for the widest that counts."""
    for centre in (0.0, 1.5, 3.0):
        low, high = centre - 0.1, centre + 0.1
        value, variance = readings(np.ones((1, 1, 1)), np.array([[low]]), np.array([[high]]))
        exact = stats.truncnorm(low, high)
        assert value[0, 0] / (1 + variance[0, 0]) == pytest.approx(exact.mean(), abs=5e-5)
        assert variance[0, 0] / (1 + variance[0, 0]) == pytest.approx(exact.var(), abs=2e-5)


def test_what_is_not_known_says_nothing():
    _, variance = readings(np.ones((1, 1, 1)), np.array([[-np.inf]]), np.array([[np.inf]]))
    assert variance[0, 0] == NOTHING


def test_truncated_moments_are_scipys():
    cases = [(0.3, 1.2, -1.0, 0.5), (0.0, 1.0, 2.0, np.inf), (0.0, 1.0, -np.inf, -4.0), (1.0, 0.5, -7.0, 9.0)]
    mean, sd, low, high = (np.array(column) for column in zip(*cases, strict=True))
    found = truncated_moments(mean, sd**2, low, high)
    expected = stats.truncnorm((low - mean) / sd, (high - mean) / sd, loc=mean, scale=sd)
    assert found[0] == pytest.approx(expected.mean(), rel=1e-7)
    assert found[1] == pytest.approx(expected.var(), rel=1e-5)


# ---------------------------------------------------------------------------------------------------- distributions


def test_one_component_is_scipys_lognormal():
    one = np.ones((1, 1))
    mixture = RateMixture(
        one, 0.4 * one, 0.7 * one, Marginal("lognormal", {"median": 0.8, "log_sd": 0.6}), (0, np.inf)
    )
    expected = stats.lognorm(0.6 * 0.7, scale=0.8 * np.exp(0.6 * 0.4))
    assert mixture.rate[0] == pytest.approx(expected.mean())
    assert mixture.rate_sd[0] == pytest.approx(expected.std())
    assert mixture.below(1.3)[0] == pytest.approx(expected.cdf(1.3))
    assert mixture.quantile(0.9)[0] == pytest.approx(expected.ppf(0.9))
    bands = [expected.cdf(0.5), expected.cdf(1.0) - expected.cdf(0.5), expected.sf(1.0)]
    assert mixture.bands[0].tolist() == pytest.approx(bands)


def test_a_mixture_with_limits_is_what_is_drawn_from_it():
    generator = np.random.default_rng(2)
    weight, mean, sd = np.array([[0.3, 0.7]]), np.array([[-1.0, 1.2]]), np.array([[0.5, 0.9]])
    mixture = RateMixture(weight, mean, sd, Marginal("lognormal", {"median": 0.9, "log_sd": 0.8}), (0.3, 3.0))
    part = (generator.random(1_000_000) < 0.7).astype(int)
    score = mean[0, part] + sd[0, part] * generator.standard_normal(len(part))
    rate = np.clip(0.9 * np.exp(0.8 * score), 0.3, 3.0)
    assert mixture.rate[0] == pytest.approx(rate.mean(), abs=0.005)
    assert mixture.rate_sd[0] == pytest.approx(rate.std(), abs=0.005)
    for level in (0.01, 0.2, 0.5, 0.99):
        assert mixture.quantile(level)[0] == pytest.approx(np.quantile(rate, level), abs=0.01)
    assert mixture.below(0.3)[0] == 0.0
    assert mixture.below(3.5)[0] == 1.0


@pytest.mark.parametrize(
    "marginal",
    [
        Marginal("lognormal", {"median": 5.8, "log_sd": 0.27}),
        Marginal("lognormal", {"mean": 0.89, "sd": 0.65}),
        Marginal("normal", {"mean": 62.0, "sd": 11.0}),
        Marginal("beta", {"mean": 50.0, "sd": 16.0, "low": 0.0, "high": 100.0}),
        Marginal("uniform", {"low": 2.0, "high": 5.0}),
    ],
)
def test_scores_turn_values_round(marginal):
    scores = np.linspace(-3.5, 3.5, 29)
    assert marginal.scores_at(marginal.values_at(scores)) == pytest.approx(scores, abs=1e-7)


def test_categories_lie_between_their_edges():
    marginal = Marginal("categorical", {}, ("a", "b", "c"), (0.6, 0.3, 0.1))
    scores = np.linspace(-3, 3, 101)
    place = marginal.values_at(scores).astype(int)
    assert ((marginal.edges()[place] <= scores) & (scores <= marginal.edges()[place + 1])).all()
    with pytest.raises(ValueError, match="edges"):
        marginal.scores_at(scores)


# -------------------------------------------------------------------------------------------------------- intervals


def test_intervals_of_a_row_by_hand():
    rows = draw(30, seed=1).enrolled.head(1)
    rows = rows.assign(sex="female", site="site-2", c9orf72=None, onset_site="bulbar", treg_pct_cd4=np.nan)
    rows = rows.assign(nfl_pg_ml=66.4, crp_mg_l=0.5, crp_mg_l_comparator="<", uric_acid_umol_l=279.0)
    rows = rows.assign(treg_count_per_ul=42.0, cd4_count_per_ul=720.0, chit1_ng_ml=0.2, chit1_ng_ml_comparator="<")
    found = score_intervals(reference_constants(), rows, None)
    bounds = {name: (found.low[0, i], found.high[0, i]) for i, name in enumerate(found.names)}
    z = stats.norm.ppf
    assert bounds["sex"] == pytest.approx((z(0.57), np.inf))
    assert bounds["onset_site"] == pytest.approx((z(0.69), z(0.97)))
    assert bounds["nfl_pg_ml"] == pytest.approx(tuple(np.log(v / 1.08 / 66.4) / 0.62 for v in (66.35, 66.45)))
    assert bounds["crp_mg_l"] == pytest.approx((-np.inf, np.log(0.45 / 2.0) / 1.1))
    assert bounds["uric_acid_umol_l"] == pytest.approx((-0.5 / 71, 0.5 / 71))
    for name in ("c9orf72", "treg_pct_cd4", "chit1_ng_ml"):  # below, all but surely, means that there is none
        assert bounds[name] == (-np.inf, np.inf)
    middle, spread = np.log(720 * 5.8 / 100 * 1.08), np.hypot(0.305, 0.27)
    expected = tuple((np.log(v) - middle) / spread for v in (41.5, 42.5))
    assert bounds["treg_count_per_ul"] == pytest.approx(expected)
