"""What must hold between measurements of one visit; limits by hand."""

from __future__ import annotations

import pytest

from features.consistency import contradictions
from features.record import Measurement
from tests.measured import measurement

PARTS = {  # with what they make
    "treg_count": ({"cd4_count": 800.0, "treg_pct_cd4": 5.0}, 40.0),
    "nlr": ({"neutrophils": 6.0, "lymphocytes": 1.5}, 4.0),
    "bmi": ({"weight": 80.0, "height": 200.0}, 20.0),
}
ITEMS = ("speech", "salivation", "swallowing", "handwriting", "cutting", "dressing", "turning", "walking", "stairs")
REVISED = dict.fromkeys([f"alsfrs_{item}" for item in (*ITEMS, "dyspnea", "orthopnea", "ventilation")], 3.0)
OLDER = dict.fromkeys([f"alsfrs_{item}" for item in (*ITEMS, "breathing")], 2.0)


def broken(values: dict[str, float], censored: str = "") -> list[str]:
    measured = {name: measurement(name, v, "<" if name == censored else None) for name, v in values.items()}
    return [problem.field for problem in contradictions("v", measured)]


@pytest.mark.parametrize("name", PARTS)
def test_a_product_or_ratio_may_be_off_by_a_third(name: str) -> None:
    parts, made = PARTS[name]
    for factor in (0.75, 1.0, 1.3, 1.329):
        assert broken({**parts, name: made * factor}) == []
    for factor in (0.1, 0.749, 1.331, 10.0, 1000.0):
        assert set(broken({**parts, name: made * factor})) == {f"v.{name}"}


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
    assert broken({"treg_count": 800.0, "cd4_count": 40.0, "treg_pct_cd4": 5.0}) == ["v.treg_count"] * 2
    assert broken({"treg_count": 5.0, "cd4_count": 800.0, "treg_pct_cd4": 40.0}) == ["v.treg_count"]
    assert broken({"treg_count": 40.0, "cd4_count": 5.0, "treg_pct_cd4": 8.0}) == ["v.treg_count"] * 2


@pytest.mark.parametrize("censored", ["treg_count", "cd4_count", "treg_pct_cd4"])
def test_a_limit_contradicts_nothing(censored: str) -> None:
    assert broken({"treg_count": 700.0, "cd4_count": 700.0, "treg_pct_cd4": 7.0}, censored) == []


def test_all_contradictions_are_told_in_order() -> None:
    values = {
        **{"lymphocytes": 9.0, "leukocytes": 5.0, "neutrophils": 9.0, "nlr": 3.0},
        **{"treg_count": 700.0, "cd4_count": 700.0, "treg_pct_cd4": 7.0},
    }
    assert broken(values) == ["v.treg_count", "v.nlr", "v.neutrophils", "v.lymphocytes"]


def told(**measured: Measurement) -> list[str]:
    return [str(problem) for problem in contradictions("v", measured)]


def share(value: float, denominator: str = "cd4", gate: str = "cd25_cd127low") -> Measurement:
    return Measurement(value, None, (("treg_denominator", denominator), ("treg_gate", gate)))


def count(value: float, gate: str = "cd25_cd127low") -> Measurement:
    return Measurement(value, None, (("treg_gate", gate),))


CELLS = {"cd4_count": Measurement(800.0), "lymphocytes": Measurement(2.0), "leukocytes": Measurement(6.0)}
OF = {"cd4": 800.0, "lymphocytes": 2000.0, "leukocytes": 6000.0}  # cells per uL


@pytest.mark.parametrize("denominator", OF)
@pytest.mark.parametrize("sent_as", OF)
def test_a_share_of_another_denominator_than_said_shows_where_all_counts_are_there(
    denominator: str, sent_as: str
) -> None:
    """40 Tregs: 5 % of CD4+, 2 % of lymphocytes, 0.667 % of leukocytes."""
    problems = told(treg_count=count(40.0), treg_pct_cd4=share(4000.0 / OF[denominator], sent_as), **CELLS)
    if denominator == sent_as:
        assert problems == []
    else:
        assert f'if the share is of {denominator}, send treg_denominator "{denominator}"; else check' in problems[0]
        assert len(problems) == (
            2 if (denominator, sent_as) == ("leukocytes", "cd4") else 1
        )  # CD4+ cells are lymphocytes


def test_counts_and_shares_of_two_gates_are_not_compared() -> None:
    assert told(treg_count=count(20.0, "foxp3"), treg_pct_cd4=share(5.0), **CELLS) == []
    assert told(treg_count=count(20.0, "unknown"), treg_pct_cd4=share(5.0), **CELLS) == []
    assert len(told(treg_count=count(20.0, "unknown"), treg_pct_cd4=share(5.0, gate="unknown"), **CELLS)) == 1


def test_an_unknown_denominator_goes_with_any_count() -> None:
    assert told(treg_count=count(40.0), treg_pct_cd4=share(2.0, "unknown"), **CELLS) == []


def test_tregs_are_a_part_of_the_cd4_cells() -> None:
    assert told(treg_count=count(1000.0), cd4_count=Measurement(800.0)) == []
    [problem] = told(treg_count=count(1000.0), cd4_count=Measurement(700.0))
    assert "of which Tregs are a part (at most 1.33 times it)" in problem


def test_without_a_cd4_count_the_lymphocytes_are_the_most_that_there_can_be() -> None:
    """4 % of CD4+ cells, and CD4+ cells are at most all 2,000 lymphocytes: at most 80 Tregs."""
    lymphocytes = Measurement(2.0)
    assert told(treg_count=count(106.0), treg_pct_cd4=share(4.0), lymphocytes=lymphocytes) == []
    assert len(told(treg_count=count(107.0), treg_pct_cd4=share(4.0), lymphocytes=lymphocytes)) == 1
