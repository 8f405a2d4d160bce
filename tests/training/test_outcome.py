"""The outcome against numpy's and scipy's least squares, its window to the day, and why there may be none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from features.change import NOISE_SD
from features.record import Measurement, PatientRecord, Visit
from training.outcome import NoOutcome, Outcome, alike, outcome

SCORE = "alsfrs_r_total"


def record(*points: tuple[float, float | None]) -> PatientRecord:
    """Visits at these months; None: no score."""
    return PatientRecord(
        tuple(Visit(m, {} if score is None else {SCORE: Measurement(score)}) for m, score in points)
    )


def rate(made: PatientRecord, visit: int = 0) -> Outcome:
    found = outcome(made, visit, SCORE)
    assert isinstance(found, Outcome)
    return found


@given(
    start=st.floats(0, 60),
    gaps=st.lists(st.floats(0.5, 4), min_size=1, max_size=8),
    scores=st.lists(st.integers(0, 48), min_size=9, max_size=9),
)
def test_the_rate_is_the_slope_of_least_squares_turned_round(
    start: float, gaps: list[float], scores: list[int]
) -> None:
    months = start + np.concatenate([[0.0], np.cumsum(gaps)])
    assume(3 <= months[-1] - start <= 12)
    points = list(zip(months.tolist(), map(float, scores), strict=False))
    found = rate(record(*points))
    x, y = np.array(points).T
    assert found.progression_rate == pytest.approx(-np.polyfit(x - start, y, 1)[0], abs=1e-8)
    assert found.progression_rate == pytest.approx(-stats.linregress(x, y).slope, abs=1e-8)
    assert found.visits == len(points)
    assert found.span_months == pytest.approx(x[-1] - x[0])


def test_the_standard_error_is_that_of_a_slope_with_known_noise() -> None:
    """Months 10, 14, 18 lie -4, 0 and 4 from their mean: sum of squares 32, and 1.05 / sqrt(32) = 0.18562."""
    found = rate(record((10, 40), (14, 37), (18, 36)))
    assert NOISE_SD == 1.05
    assert found.standard_error == pytest.approx(0.185616, abs=1e-6)


def test_the_standard_error_is_the_spread_of_slopes_under_that_noise() -> None:
    rng = np.random.default_rng(0)
    months = np.array([0.0, 3.0, 6.0, 9.0, 12.0])
    noisy = 40 - 0.7 * months + NOISE_SD * rng.normal(size=(20_000, 5))
    slopes = np.polyfit(months, noisy.T, 1)[0]
    found = rate(record(*zip(months.tolist(), (40 - 0.7 * months).tolist(), strict=True)))
    assert found.standard_error == pytest.approx(slopes.std(), rel=0.02)
    assert found.progression_rate == pytest.approx(0.7)


def test_a_straight_decline_is_its_rate_from_every_visit() -> None:
    made = record(*((month, 44 - 0.5 * month) for month in range(0, 25, 4)))
    assert [round(rate(made, visit).progression_rate, 12) for visit in range(5)] == [0.5] * 5


def test_improvement_is_a_negative_rate() -> None:
    assert rate(record((0, 30), (6, 33))).progression_rate == -0.5


@pytest.mark.parametrize(
    ("last", "visits"),
    [
        (12.0, 3),
        (12.1, 3),  # visits "at 12 months" are dated in days
        (12.11, 2),
        (13.0, 2),
    ],
)
def test_the_window_ends_after_twelve_months_inclusive(last: float, visits: int) -> None:
    assert rate(record((0, 40), (6, 38), (last, 10))).visits == visits


def test_what_came_before_the_index_visit_does_not_count() -> None:
    made = record((0, 48), (6, 40), (12, 37))
    assert rate(made, 1) == rate(record((6, 40), (12, 37)))


@pytest.mark.parametrize(
    ("points", "visit", "reason"),
    [
        ([(0, None), (6, 38)], 0, NoOutcome.NO_SCORE),
        ([(0, 40)], 0, NoOutcome.NO_LATER_SCORE),
        ([(0, 40), (6, 38)], 1, NoOutcome.NO_LATER_SCORE),
        ([(0, 40), (6, None)], 0, NoOutcome.NO_LATER_SCORE),
        ([(0, 40), (14, 30)], 0, NoOutcome.NO_LATER_SCORE),
        ([(0, 40), (2, 38)], 0, NoOutcome.SHORT),
        ([(0, 40), (2.89, 38)], 0, NoOutcome.SHORT),
    ],
)
def test_why_there_is_none(points: list[tuple[float, float | None]], visit: int, reason: NoOutcome) -> None:
    assert outcome(record(*points), visit, SCORE) is reason


@pytest.mark.parametrize("span", [2.9, 3.0, 91 / 30.4375])
def test_three_months_are_enough(span: float) -> None:
    assert rate(record((0, 40), (span, 38))).visits == 2


def test_a_visit_without_a_score_is_passed_over() -> None:
    assert rate(record((0, 40), (3, None), (6, 37))) == rate(record((0, 40), (6, 37)))


def test_a_score_beyond_a_limit_is_no_score() -> None:
    below = Visit(6.0, {SCORE: Measurement(10.0, "<")})
    made = PatientRecord((Visit(0.0, {SCORE: Measurement(40.0)}), below, Visit(9.0, {SCORE: Measurement(31.0)})))
    assert rate(made).visits == 2
    assert outcome(made, 1, SCORE) is NoOutcome.NO_SCORE


def test_the_other_scale_is_not_mixed_in() -> None:
    made = record((0, 40), (6, 38))
    assert outcome(made, 0, "alsfrs_total") is NoOutcome.NO_SCORE


def test_twelve_items_are_a_score() -> None:
    from features.consistency import ITEMS_ALSFRS_R

    items = {item: Measurement(3.0) for item in ITEMS_ALSFRS_R}  # 36
    made = PatientRecord((Visit(0.0, {SCORE: Measurement(42.0)}), Visit(6.0, items)))
    assert rate(made).progression_rate == 1.0


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ([], None),
        ([0.3, 0.3, 0.9, 1.1], None),  # half of them
        ([0.3, 0.3, 0.3, 1.1], "75 % of the 4 outcomes are the same rate, 0.3 points/month"),
        ([-0.0, 0.0, 1e-14], "100 % of the 3 outcomes are the same rate, 0 points/month"),
    ],
)
def test_outcomes_that_are_all_alike(rates: list[float], found: str | None) -> None:
    assert alike(rates) == found
