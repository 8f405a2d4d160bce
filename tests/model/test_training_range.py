"""From where to where training saw a column: by hand, and whatever its most extreme patient says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.applicability import Applicability, Knots, fit_applicability
from model.training_range import TrainingRange, training_range


def test_of_normal_values_it_is_four_standard_deviations() -> None:
    values = np.random.default_rng(0).normal(0.0, 5.0, 200_000)
    lowest, highest = training_range(values)
    assert (lowest, highest) == pytest.approx((-2 * 1.96 * 5, 2 * 1.96 * 5), abs=0.3)


def test_of_values_above_0_it_goes_by_ratios() -> None:
    """The natural logarithm has a standard deviation of 0.8: 3.92 of them are a factor of 23."""
    values = np.exp(np.random.default_rng(1).normal(0.0, 0.8, 200_000))
    lowest, highest = training_range(values)
    assert highest == pytest.approx(23.0, rel=0.05)
    assert lowest == pytest.approx(1 / 23.0, rel=0.05)


def test_nothing_beyond_what_was_seen_is_in_it_but_for_changes() -> None:
    values = np.linspace(-1.0, 1.0, 41)  # quantiles -0.95 (the 2nd of 41) and 0.95
    assert training_range(values) == (-1.0, 1.0)
    assert training_range(values, beyond_seen=True) == pytest.approx((-1.9, 1.9))


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("extreme", [1e3, 1e6, 1e9])
def test_it_does_not_hang_on_the_most_extreme_patient(extreme: float, changes: bool) -> None:
    """Five visits of one patient among 100 patients of five: the same range, whatever that patient has."""
    values = np.exp(np.random.default_rng(2).normal(2.0, 0.5, 495))
    lowest, highest = training_range(np.append(values, np.full(5, extreme)), beyond_seen=changes)
    assert (lowest, highest) == training_range(np.append(values, np.full(5, 500.0)), beyond_seen=changes)
    assert highest < 1.5 * training_range(values, beyond_seen=True)[1]


def test_where_nearly_all_share_a_value_what_one_in_200_has_is_in_it() -> None:
    items = np.full(1000, 4.0)
    items[:20] = 3.0
    items[20:23] = 0.0  # three in a thousand
    assert training_range(items) == (3.0, 4.0)
    assert training_range(np.repeat([0.0, 1.0], [990, 10])) == (0.0, 1.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.booleans())
def test_the_median_is_in_it(values: list[float], changes: bool) -> None:
    lowest, highest = training_range(np.array(values), beyond_seen=changes)
    assert lowest <= np.quantile(values, 0.5, method="inverted_cdf") <= highest
    if not changes:
        assert min(values) <= lowest
        assert highest <= max(values)


def test_changes_have_a_range_and_no_part_in_the_distance() -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=300), rng.normal(-0.8, 0.5, 300)])
    found = fit_applicability(X, [0], np.arange(300) % 5, [1])
    assert found.positions == (0,)
    assert [each.position for each in found.ranges] == [0, 1]
    wild = np.array([0.0, -6.67])  # 20 points in three months
    assert found.outside(wild) == [1]
    assert found.unlikeness(wild) == found.unlikeness(np.array([0.0, -0.8]))


def test_a_pack_without_ranges_has_its_most_extreme_values() -> None:
    knots = Knots(np.array([2.0, 8.0]), np.array([-1.0, 1.0]), 1.0, 9.0)
    older = Applicability((1,), (knots,), np.eye(1), 3.0, (1.0, 1.0))
    assert older.range_of == {1: TrainingRange(1, 1.0, 9.0)}
