"""What must hold between measurements of one visit; limits by hand."""

from __future__ import annotations

import pytest

from features.consistency import contradictions
from features.record import Measurement

PARTS = {  # with what they make
    "treg_count": ({"cd4_count": 800.0, "treg_pct_cd4": 5.0}, 40.0),
    "nlr": ({"neutrophils": 6.0, "lymphocytes": 1.5}, 4.0),
    "bmi": ({"weight": 80.0, "height": 200.0}, 20.0),
}
ITEMS = ("speech", "salivation", "swallowing", "handwriting", "cutting", "dressing", "turning", "walking", "stairs")
REVISED = dict.fromkeys([f"alsfrs_{item}" for item in (*ITEMS, "dyspnea", "orthopnea", "ventilation")], 3.0)
OLDER = dict.fromkeys([f"alsfrs_{item}" for item in (*ITEMS, "breathing")], 2.0)


def broken(values: dict[str, float], censored: str = "") -> list[str]:
    measured = {name: Measurement(v, "<" if name == censored else None) for name, v in values.items()}
    return [problem.field for problem in contradictions("v", measured)]


@pytest.mark.parametrize("name", PARTS)
def test_a_product_or_ratio_may_be_off_by_a_third(name: str) -> None:
    parts, made = PARTS[name]
    for factor in (0.75, 1.0, 1.3, 1.329):
        assert broken({**parts, name: made * factor}) == []
    for factor in (0.1, 0.749, 1.331, 10.0, 1000.0):
        assert broken({**parts, name: made * factor}) == [f"v.{name}"]


@pytest.mark.parametrize(
    ("name", "items", "total"), [("alsfrs_r_total", REVISED, 36.0), ("alsfrs_total", OLDER, 20.0)]
)
def test_a_total_may_be_off_by_a_point(name: str, items: dict[str, float], total: float) -> None:
    for difference in (-1.0, 0.0, 1.0):
        assert broken({**items, name: total + difference}) == []
    for difference in (-2.0, 2.0, 12.0):
        assert broken({**items, name: total + difference}) == [f"v.{name}"]
    without_one = dict(list(items.items())[1:])
    assert broken({**without_one, name: 4.0}) == []


@pytest.mark.parametrize(
    ("part", "whole", "unit"),
    [("cd4_count", "lymphocytes", 1000.0), ("neutrophils", "leukocytes", 1.0), ("lymphocytes", "leukocytes", 1.0)],
)
def test_a_part_is_at_most_the_whole(part: str, whole: str, unit: float) -> None:
    assert broken({part: 0.001 * unit, whole: 2.0}) == []
    assert broken({part: 2.65 * unit, whole: 2.0}) == []
    assert broken({part: 2.67 * unit, whole: 2.0}) == [f"v.{part}"]


def test_every_swap_of_treg_count_cd4_count_and_share_shows() -> None:
    assert broken({"treg_count": 40.0, "cd4_count": 800.0, "treg_pct_cd4": 5.0}) == []
    assert broken({"treg_count": 800.0, "cd4_count": 40.0, "treg_pct_cd4": 5.0}) == ["v.treg_count"]
    assert broken({"treg_count": 5.0, "cd4_count": 800.0, "treg_pct_cd4": 40.0}) == ["v.treg_count"]
    assert broken({"treg_count": 40.0, "cd4_count": 5.0, "treg_pct_cd4": 8.0}) == ["v.treg_count"]


@pytest.mark.parametrize("censored", ["treg_count", "cd4_count", "treg_pct_cd4"])
def test_a_limit_contradicts_nothing(censored: str) -> None:
    assert broken({"treg_count": 700.0, "cd4_count": 700.0, "treg_pct_cd4": 7.0}, censored) == []


def test_all_contradictions_are_told_in_order() -> None:
    values = {
        **{"lymphocytes": 9.0, "leukocytes": 5.0, "neutrophils": 9.0, "nlr": 3.0},
        **{"treg_count": 700.0, "cd4_count": 700.0, "treg_pct_cd4": 7.0},
    }
    assert broken(values) == ["v.treg_count", "v.nlr", "v.neutrophils", "v.lymphocytes"]
