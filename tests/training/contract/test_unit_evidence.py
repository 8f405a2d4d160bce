"""Evidence of wrong units: found where values are a known factor off, silent where they only vary."""

from __future__ import annotations

import numpy as np
import pytest

from features.vocabulary import vocabulary
from training.contract.contract_readings import readings
from training.contract.mixed_units import apart, odd_within_patients, two_groups
from training.contract.typical_range import typical_range

WEIGHT_RATIO = 1.0 / 0.45359237


def lognormal(seed: int, size: int, median: float, spread: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return median * np.exp(np.random.default_rng(seed).normal(0.0, spread, size))


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8])
@pytest.mark.parametrize(("factor", "spread"), [(1000.0, 0.9), (10.0, 0.4), (88.4, 0.6)])
def test_two_groups_are_found_at_any_share(share: float, factor: float, spread: float) -> None:
    values = lognormal(1, 400, 5.0, spread)
    off = np.arange(400) < 400 * share
    values[off] *= factor
    found = two_groups(values, factor)
    assert found is not None
    assert np.mean(found == off) > 0.99


@pytest.mark.parametrize(("size", "most"), [(12, 2), (20, 1), (50, 1), (300, 0)])
@pytest.mark.parametrize("spread", [0.1, 0.3, 0.5, 1.0, 1.5])
def test_one_bell_curve_is_one_group(spread: float, size: int, most: int) -> None:
    """Of 400 samples; the first rule that was tried split one in ten of the small ones."""
    split = sum(
        any(two_groups(lognormal(seed, size, 5.0, spread), factor) is not None for factor in (WEIGHT_RATIO, 10.0))
        for seed in range(400)
    )
    assert split <= most


def test_groups_that_are_no_units_apart_are_biology() -> None:
    values = np.concatenate([lognormal(1, 100, 5.0, 0.2), lognormal(2, 100, 200.0, 0.2)])
    assert two_groups(values, 40.0) is not None
    assert two_groups(values, 1000.0) is None
    assert two_groups(values, 10.0) is None


def test_a_site_differs_by_its_assay_or_by_its_unit() -> None:
    elsewhere = lognormal(1, 60, 5.0, 0.8)
    assert apart(lognormal(2, 20, 5.0, 0.8) / 1000.0, elsewhere, 1000.0)
    assert not apart(lognormal(2, 20, 5.0, 0.8) * 2.0, elsewhere, 1000.0)
    assert not apart(lognormal(3, 20, 5.0, 2.5) / 10.0, elsewhere, 10.0)  # too wide to say


def test_of_two_weights_the_odder_one_is_told() -> None:
    weights = [*(75.0 + np.arange(40) % 7), 72.0, 72.0 * WEIGHT_RATIO]
    patients = [*(f"p{at // 4}" for at in range(40)), "x", "x"]
    assert list(odd_within_patients(np.array(weights), patients, WEIGHT_RATIO)) == [(41, 72.0)]


def test_what_varies_from_visit_to_visit_is_not_judged_by_its_visits() -> None:
    values = lognormal(4, 300, 3.0, 1.2)  # as CRP does with infections
    patients = [f"p{at // 5}" for at in range(300)]
    assert list(odd_within_patients(values, patients, 10.0)) == []


def test_every_quantity_with_units_that_differ_has_a_typical_range() -> None:
    for column, quantity in vocabulary().by_column.items():
        factors = {unit.numerator / unit.denominator for unit in quantity.units.values()}
        if len(factors) > 1:
            found = typical_range(column)
            assert found is not None, column
            low, high = quantity.plausible
            assert low <= found.low < found.high <= high
            assert found.source


def test_readings_take_numbers_texts_and_limits_and_leave_the_rest() -> None:
    rows: list[dict[str, object]] = [
        {"crp_mg_l": 2},
        {"crp_mg_l": " <0.3 "},
        {"crp_mg_l": "1,5"},
        {"crp_mg_l": None},
        {"crp_mg_l": 0.4, "crp_mg_l_comparator": "<"},
        {"crp_mg_l": float("inf")},
        {"crp_mg_l": 9000.0},
    ]
    found = readings(rows, {"crp_mg_l": "mg/dL"})["crp_mg_l"]
    assert found.rows.tolist() == [0, 1, 4, 6]
    assert found.raw.tolist() == [2.0, 0.3, 0.4, 9000.0]
    assert found.values.tolist() == [20.0, 3.0, 4.0, 90000.0]
    assert found.limits.tolist() == [False, True, True, False]
    assert found.other_units == ("mg/L", "ug/L")
    assert found.factor("ug/L") == pytest.approx(1e-4)
