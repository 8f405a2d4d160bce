"""The predictive distribution against order statistics counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.distribution import PredictiveDistribution
from model.fitted import ScoreRange


def standard(residuals: list[float] | np.ndarray) -> PredictiveDistribution:
    return PredictiveDistribution(np.array([0.0]), np.array([1.0]), (np.sort(np.asarray(residuals, float)),))


def ranks(count: int) -> PredictiveDistribution:
    """Residuals 1, 2, ..., so that a quantile is the rank it was read at."""
    return standard(list(range(1, count + 1)))


# (m, q, rank): floor((m + 1) q) below the median, ceil above it.
ORDER_STATISTICS = [
    (19, 0.05, 1),
    (19, 0.95, 19),
    (19, 0.1, 2),  # 20 * 0.1 is a whole number, in decimal
    (99, 0.07, 7),  # 100 * 0.07 is 7.000000000000001 in binary
    (99, 0.29, 29),  # and 100 * 0.29 is 28.999999999999996
    (99, 0.55, 55),  # and 100 * 0.55 is 55.00000000000001
    (100, 0.05, 5),  # 5.05
    (100, 0.95, 96),  # 95.95
    (100, 0.9, 91),  # 90.9
]


@pytest.mark.parametrize(("count", "q", "rank"), ORDER_STATISTICS)
def test_order_statistics_by_hand(count: int, q: float, rank: int) -> None:
    assert ranks(count).quantile(q).tolist() == [rank]


@pytest.mark.parametrize(("count", "median"), [(1, 1), (4, 2.5), (5, 3)])
def test_the_median_is_the_ordinary_one(count: int, median: float) -> None:
    assert ranks(count).quantile(0.5).tolist() == [median]


@pytest.mark.parametrize(
    ("count", "coverage", "ends"), [(19, 0.9, [1, 19]), (39, 0.9, [2, 38]), (50, 0.5, [12, 39])]
)
def test_intervals_by_hand(count: int, coverage: float, ends: list[float]) -> None:
    assert ranks(count).interval(coverage).tolist() == [ends]


def test_location_and_scale_shift_and_stretch() -> None:
    shared = np.linspace(-1, 1, 19)
    both = PredictiveDistribution(np.array([1.0, 5.0]), np.array([1.0, 2.0]), (shared,))
    np.testing.assert_allclose(both.interval(0.9), [[0, 2], [3, 7]])


@pytest.mark.parametrize(("count", "coverage", "needed"), [(18, 0.9, 19), (38, 0.95, 39), (198, 0.99, 199)])
def test_too_few_residuals_says_how_many_are_needed(count: int, coverage: float, needed: int) -> None:
    message = f"coverage {coverage:g} needs at least {needed} residuals; there are {count}"
    with pytest.raises(ValueError, match=message):
        ranks(count).interval(coverage)
    assert ranks(needed).interval(coverage).tolist() == [[1, needed]]


def test_too_few_residuals_for_a_quantile() -> None:
    with pytest.raises(ValueError, match=r"quantile 0\.05 needs at least 19 residuals; there are 3"):
        ranks(3).quantile(0.05)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_levels_outside_0_to_1_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"quantile = .* is not between 0 and 1"):
        ranks(99).quantile(value)
    with pytest.raises(ValueError, match=r"coverage = .* is not between 0 and 1"):
        ranks(99).interval(value)


def test_interval_is_made_of_quantiles() -> None:
    d = ranks(200)
    assert d.interval(0.9)[0].tolist() == [d.quantile(0.05)[0], d.quantile(0.95)[0]]


def test_cdf_by_hand() -> None:
    d = standard([-1, 0, 0, 2])  # a fifth residual is the new patient's own, counted half
    found = [float(d.cdf(y)[0]) for y in (-5, -1, -0.5, 0, 1, 2, 5)]
    np.testing.assert_allclose(found, np.array([0.5, 1, 1.5, 2.5, 3.5, 4, 4.5]) / 5)


def test_cdf_takes_one_y_per_patient() -> None:
    d = PredictiveDistribution(np.array([0.0, 10.0]), np.ones(2), (np.array([-1.0, 1.0]),))
    assert d.cdf([0.0, 10.0]).tolist() == [0.5, 0.5]


def test_band_probabilities_by_hand() -> None:
    rates = [0.1, 0.2, 0.4, 0.5, 0.7, 0.9, 1.0, 1.2, 3.0]
    found = standard(rates).band_probabilities()[0]
    # Below 0.5: 3 + half of the one equal + half of the new one, of 10; below 1.0: 6 + 1/2 + 1/2.
    np.testing.assert_allclose(found, [0.4, 0.3, 0.3])


def test_cuts_must_ascend() -> None:
    with pytest.raises(ValueError, match=r"cuts 1, 0\.5 do not ascend"):
        ranks(9).band_probabilities((1.0, 0.5))


finite = st.floats(-50, 50)


@given(
    st.lists(finite, min_size=40, max_size=60),
    finite,
    st.floats(0.01, 20),
    st.floats(0.01, 0.94),
    st.floats(0.01, 0.94),
)
def test_laws(residuals: list[float], location: float, scale: float, one: float, other: float) -> None:
    d = PredictiveDistribution(np.array([location]), np.array([scale]), (np.sort(residuals),))
    (inner, outer) = (d.interval(c)[0] for c in sorted((one, other)))
    assert outer[0] <= inner[0] <= inner[1] <= outer[1]
    low, high = (d.quantile(q)[0] for q in sorted((0.03 + one, 0.03 + other)))
    assert low <= high
    assert d.cdf(low)[0] <= d.cdf(high)[0]
    probabilities = d.band_probabilities()[0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-15)
    assert (probabilities >= 0).all()
    assert (probabilities <= 1).all()


@given(
    st.lists(st.floats(-5, 5), min_size=19, max_size=60),
    st.floats(0, 48),
    st.floats(-3, 3),
    st.floats(0.1, 3),
)
def test_nothing_is_beyond_what_the_score_allows(
    residuals: list[float], score: float, at: float, scale: float
) -> None:
    """A score of s points loses at most s, and gains at most 48 - s, within 3 months."""
    lowest, highest = ScoreRange(0, 48.0, 3.0).limits(np.array([[score]]))
    ordered = (np.sort(residuals),)
    free = PredictiveDistribution(np.array([at]), np.array([scale]), ordered)
    held = PredictiveDistribution(np.array([at]), np.array([scale]), ordered, None, lowest, highest)
    assert highest[0] == score / 3
    assert lowest[0] == (score - 48) / 3
    for q in (0.05, 0.5, 0.95):
        assert lowest <= held.quantile(q) <= highest
        assert held.quantile(q) == np.clip(free.quantile(q), lowest, highest)
    lower, upper = held.interval(0.9)[0]
    assert lowest[0] <= lower <= upper <= highest[0]
    assert held.cdf(highest) == 1.0
    assert held.cdf(lowest[0] - 1e-6) == 0.0
    inside = (lowest + highest) / 2
    assert held.cdf(inside) == free.cdf(inside)
    assert held.band_probabilities().sum() == pytest.approx(1.0)
    assert held.possible[0] == (lowest[0] <= at <= highest[0])
