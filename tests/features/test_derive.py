"""Derived features by hand, and the law that nothing after the index visit is in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.change import NOISE_SD, SETTLED, change_per_month, slope, weight
from features.derive import Scale, complete, derive
from features.feature import catalogue
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import vocabulary
from tests.measured import AT_1_TO_1, MEASURED_AS, QUALIFIED, measurement

SCALES: tuple[Scale, ...] = ("alsfrs_r_total", "alsfrs_total")
ITEMS = ("speech", "salivation", "swallowing", "handwriting", "cutting", "dressing", "turning", "walking", "stairs")
REVISED = [f"alsfrs_{item}" for item in (*ITEMS, "dyspnea", "orthopnea", "ventilation")]
OLDER = [f"alsfrs_{item}" for item in (*ITEMS, "breathing")]


def history(*visits: tuple[float, dict[str, float]], **patient: object) -> PatientRecord:
    made = tuple(Visit(month, {n: measurement(n, v) for n, v in values.items()}) for month, values in visits)
    return PatientRecord(made, **patient)  # type: ignore[arg-type]


def test_a_whole_history_by_hand() -> None:
    record = PatientRecord(
        (
            Visit(6.0, {"alsfrs_r_total": Measurement(45.0), "crp": Measurement(2.0)}, "no"),
            Visit(9.0, {"alsfrs_r_total": Measurement(42.0)}, "yes"),
            Visit(10.0, {"alsfrs_r_total": Measurement(42.0), "nfl": Measurement(80.0)}),
        ),
        {"sex": "female", "onset_site": "bulbar", "c9orf72": "normal"},
        age_years=61.0,
        diagnostic_delay_months=5.0,
    )
    # Deviations from month 25/3: -7/3, 2/3, 5/3; from score 43: 2, -1, -1. Products -21/3, squares 78/9. The course
    # so far, -6 points in 10 months, has the weight of 8 months^2.
    assert derive(record, "alsfrs_r_total") == {
        "sex_female": 1.0,
        "onset_bulbar": 1.0,
        "onset_respiratory": 0.0,
        "c9orf72_expanded": 0.0,
        "riluzole_yes": 1.0,
        "age_years": 61.0,
        "diagnostic_delay_months": 5.0,
        "months_since_onset": 10.0,
        "delta_fs": pytest.approx(0.6),  # (48 - 42) / 10
        "alsfrs_r_total": 42.0,
        "alsfrs_r_total_change_per_month": pytest.approx((-21 / 3 + 8 * -0.6) / (78 / 9 + 8)),
        "alsfrs_r_total_months_since_drawn": 0.0,
        "crp_mg_l": 2.0,
        "crp_mg_l_months_since_drawn": 4.0,
        "nfl_pg_ml": 80.0,
        "nfl_pg_ml_months_since_drawn": 0.0,
    }


def test_nothing_measured_is_nothing_but_the_time() -> None:
    assert derive(history((7.5, {})), "alsfrs_r_total") == {"months_since_onset": 7.5}


@given(
    st.lists(st.tuples(st.integers(0, 240), st.integers(1, 3000)), min_size=2, max_size=8, unique_by=lambda p: p[0])
)
@settings(deadline=None, max_examples=100)
def test_the_change_is_numpys_line_through_the_values(points: list[tuple[int, int]]) -> None:
    points.sort()
    record = history(*((month / 2, {"nfl": float(value)}) for month, value in points))
    features = derive(record, "alsfrs_r_total")
    months, values = np.array(points, dtype=float).T
    expected = np.polyfit(months / 2, values, 1)[0]
    squares = len(months) * np.var(months / 2)
    told = expected * squares / (squares + 8.0)
    assert features["nfl_pg_ml_change_per_month"] == pytest.approx(told, rel=1e-6, abs=1e-9)
    assert slope([(month, value) for month, value in points]) == pytest.approx(expected / 2, rel=1e-6, abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(30, 3000), st.integers(0, 48)), min_size=2, max_size=8, unique_by=lambda p: p[0])
)
@settings(deadline=None, max_examples=100)
def test_the_change_of_a_score_is_numpys_line_with_the_course_so_far_as_one_more_observation(
    points: list[tuple[int, int]],
) -> None:
    """Ridge regression: an observation of the slope alone, of the size sqrt(8) months."""
    points.sort()
    days, scores = np.array(points, dtype=float).T
    months = days / 30.4375
    record = history(*((month, {"alsfrs_r_total": score}) for month, score in zip(months, scores, strict=True)))
    so_far = (scores[-1] - 48.0) / months[-1]
    design = np.column_stack(
        [np.append(np.ones(len(months)), 0.0), np.append(months - months.mean(), np.sqrt(8.0))]
    )
    told = np.linalg.lstsq(design, np.append(scores, np.sqrt(8.0) * so_far), rcond=None)[0][1]
    found = derive(record, "alsfrs_r_total")["alsfrs_r_total_change_per_month"]
    assert found == pytest.approx(told, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("second", "change"),
    [(10.5, 1.0 / 8.125), (10.99, 1.98 / 8.49005), (11.0, 2.0 / 8.5), (12.0, 4.0 / 10.0), (18.0, 16.0 / 40.0)],
)
def test_a_change_says_as_much_as_its_span_allows(second: float, change: float) -> None:
    """Of 4 mg/L in d months: products of distances from the means 2 d; squares d^2 / 2, and 8 months^2 more."""
    features = derive(history((10.0, {"crp": 1.0}), (second, {"crp": 5.0})), "alsfrs_r_total")
    assert features["crp_mg_l_change_per_month"] == pytest.approx(change)


def test_readings_at_almost_one_time_leave_what_was_expected() -> None:
    apart = 10.0, np.nextafter(10.0, 11.0)
    assert change_per_month([(month, score) for month, score in zip(apart, (48.0, 38.0), strict=True)], 48.0) == (
        pytest.approx(-1.0)
    )
    assert change_per_month([(apart[0], 1.0), (apart[1], 400.0)]) == pytest.approx(0.0, abs=1e-9)
    assert change_per_month([(-2.0, 48.0), (0.0, 47.0)], 48.0) == pytest.approx(-1.0 / 10.0)  # no course at onset


def test_four_weeks_count() -> None:
    """28 days are 0.92 months: squares 0.4232, weight 0.0502 beside 8; from 3 points a month to 0.59 so far."""
    month, days = 17.0, 28 / 30.4375
    record = history((month - days, {"alsfrs_r_total": 41.0}), (month, {"alsfrs_r_total": 38.0}))
    change = derive(record, "alsfrs_r_total")["alsfrs_r_total_change_per_month"]
    share, so_far, raw = 0.0502337, -10 / 17, -3 / days
    assert weight([(month - days, 41.0), (month, 38.0)]) == pytest.approx(share, abs=1e-6)
    assert change == pytest.approx(so_far + (raw - so_far) * share, abs=1e-5)


def test_what_a_reading_settles_is_what_the_noise_of_a_score_says() -> None:
    assert pytest.approx(NOISE_SD**2 / 0.146, rel=0.06) == SETTLED  # the spread of true changes in PRO-ACT


def test_months_since_drawn_count_back_from_the_index_visit() -> None:
    record = history((3.0, {"crp": 1.0, "il6": 2.0}), (8.0, {"il6": 3.0}), (14.5, {}))
    features = derive(record, "alsfrs_r_total")
    assert (features["crp_mg_l"], features["crp_mg_l_months_since_drawn"]) == (1.0, 11.5)
    assert (features["il6_pg_ml"], features["il6_pg_ml_months_since_drawn"]) == (3.0, 6.5)


def test_delta_fs_on_both_scales() -> None:
    record = history((12.0, {"alsfrs_r_total": 30.0, "alsfrs_total": 25.0}))
    assert derive(record, "alsfrs_r_total")["delta_fs"] == 1.5  # 18 / 12
    assert derive(record, "alsfrs_total")["delta_fs"] == 1.25  # 15 / 12
    only_older = history((12.0, {"alsfrs_total": 25.0}))
    assert "delta_fs" not in derive(only_older, "alsfrs_r_total")


def test_delta_fs_is_the_rate_up_to_the_last_score() -> None:
    """18 points in 12 months remain 1.5 a month, however long nobody has counted since."""
    record = history((6.0, {"alsfrs_r_total": 45.0}), (12.0, {"alsfrs_r_total": 30.0}), (24.0, {"crp": 1.0}))
    assert derive(record, "alsfrs_r_total")["delta_fs"] == 1.5


def test_delta_fs_needs_time() -> None:
    assert "delta_fs" not in derive(history((0.0, {"alsfrs_r_total": 48.0})), "alsfrs_r_total")
    later = history((0.0, {"alsfrs_r_total": 48.0}), (5.0, {}))
    assert "delta_fs" not in derive(later, "alsfrs_r_total")


@pytest.mark.parametrize(
    ("values", "name", "made"),
    [
        ({"neutrophils": 4.5, "lymphocytes": 1.5}, "nlr", 3.0),
        ({"cd4_count": 800.0, "treg_pct_cd4": 7.0}, "treg_count", 56.0),
        ({"weight": 81.0, "height": 180.0}, "bmi", 25.0),
        (dict.fromkeys(REVISED, 3.0), "alsfrs_r_total", 36.0),
        (dict.fromkeys(OLDER, 2.0), "alsfrs_total", 20.0),
    ],
)
def test_what_follows_from_others_is_completed(values: dict[str, float], name: str, made: float) -> None:
    quantity = vocabulary().quantities[name]
    features = derive(history((5.0, values)), "alsfrs_r_total", MEASURED_AS)
    assert features[quantity.column] == pytest.approx(made, rel=1e-15)
    assert features[f"{quantity.column}_months_since_drawn"] == 0.0
    measured = derive(history((5.0, {**values, name: made + 1.0})), "alsfrs_r_total", MEASURED_AS)
    assert measured[quantity.column] == made + 1.0  # what was measured stays
    for part in values:
        less = {other: value for other, value in values.items() if other != part}
        assert quantity.column not in derive(history((5.0, less)), "alsfrs_r_total", MEASURED_AS)
        censored = Visit(5.0, {n: measurement(n, v, "<" if n == part else None) for n, v in values.items()})
        assert name not in complete(censored, MEASURED_AS)


def test_a_completed_value_counts_as_a_reading() -> None:
    record = history(
        (5.0, {"neutrophils": 4.0, "lymphocytes": 2.0}),
        (7.0, {"nlr": 3.0}),
        (8.0, {"neutrophils": 4.0}),  # and no lymphocytes
    )
    features = derive(record, "alsfrs_r_total")
    assert (features["nlr"], features["nlr_change_per_month"], features["nlr_months_since_drawn"]) == (
        3.0,
        0.1,  # 1 in 2 months: products 1, squares 2, to which 8 come
        1.0,
    )


def test_an_impossible_completion_is_left_out() -> None:
    assert complete(Visit(5.0, {"neutrophils": Measurement(50.0), "lymphocytes": Measurement(0.1)})).keys() == {
        "neutrophils",
        "lymphocytes",
    }


def test_the_total_of_the_items_gives_delta_fs() -> None:
    assert derive(history((6.0, dict.fromkeys(REVISED, 3.0))), "alsfrs_r_total")["delta_fs"] == 2.0  # 12 / 6
    assert derive(history((10.0, dict.fromkeys(OLDER, 3.0))), "alsfrs_total")["delta_fs"] == 1.0  # 10 / 10


def test_a_limit_is_the_last_value_but_not_a_point_of_the_line() -> None:
    def readings(*values: Measurement) -> dict[str, float]:
        visits = tuple(Visit(4.0 * number, {"crp": value}) for number, value in enumerate(values))
        return derive(PatientRecord(visits), "alsfrs_r_total")

    below = Measurement(0.3, "<")
    features = readings(Measurement(5.0), Measurement(3.0), below)
    assert (features["crp_mg_l"], features["crp_mg_l_change_per_month"]) == (0.3, -0.25)  # squares 8
    assert features["crp_mg_l_months_since_drawn"] == 0.0
    assert "crp_mg_l_change_per_month" not in readings(below, Measurement(5.0), below)
    assert readings(below, Measurement(400.0, ">"))["crp_mg_l"] == 400.0


def test_suppression_at_another_ratio_is_not_on_the_same_footing() -> None:
    comparable = Measurement(60.0, None, AT_1_TO_1)
    other = Measurement(30.0, None, (("treg_responder_ratio", "1:4"),))
    early, late = Visit(4.0, {"treg_suppression": comparable}), Visit(9.0, {"treg_suppression": other})
    assert "treg_suppression_pct" not in derive(PatientRecord((late,)), "alsfrs_r_total", MEASURED_AS)
    features = derive(PatientRecord((early, late)), "alsfrs_r_total", MEASURED_AS)
    assert features["treg_suppression_pct"] == 60.0
    assert features["treg_suppression_pct_months_since_drawn"] == 5.0
    assert "treg_suppression_pct_change_per_month" not in features


def test_riluzole_is_the_last_word_on_it() -> None:
    def taken(*said: str | None) -> float | None:
        visits = tuple(Visit(float(month), {}, word) for month, word in enumerate(said))
        return derive(PatientRecord(visits), "alsfrs_r_total").get("riluzole_yes")

    assert [taken(None), taken("yes", None), taken("yes", "no"), taken("no", "yes")] == [None, 1.0, 0.0, 1.0]


def test_categories_by_hand() -> None:
    for site, bulbar, respiratory in (("bulbar", 1.0, 0.0), ("respiratory", 0.0, 1.0), ("spinal", 0.0, 0.0)):
        features = derive(history((1.0, {}), categories={"onset_site": site}), "alsfrs_r_total")
        assert (features["onset_bulbar"], features["onset_respiratory"]) == (bulbar, respiratory)


# --------------------------------------------------------------------------------------------------------- laws


def design_row(record: PatientRecord, scale: Scale) -> bytes:
    """Every column there is, to the last bit."""
    return DesignMatrix(tuple(catalogue()), scale, QUALIFIED).row(record).tobytes()


def with_future(record: PatientRecord, future: tuple[Visit, ...]) -> PatientRecord:
    """The record as it is sent some visits later: the patient is older by then."""
    visits = (*record.visits, *future)
    elapsed = visits[-1].month - record.index_visit.month
    age = None if record.age_years is None else record.age_years + elapsed / 12
    return replace(record, visits=visits, age_years=age)


LaterVisits = Callable[[float], st.SearchStrategy[tuple[Visit, ...]]]


@given(data=st.data(), scale=st.sampled_from(SCALES))
@settings(deadline=None, max_examples=150)
def test_nothing_after_the_index_visit_leaks(
    data: st.DataObject, scale: Scale, records: st.SearchStrategy[PatientRecord], later_visits: LaterVisits
) -> None:
    """Whatever comes later is changed, added to or removed, the design row is the same, to the last bit."""
    past = data.draw(records)
    index = len(past.visits) - 1
    month = past.index_visit.month
    alone = design_row(past.until(index), scale)
    for _ in range(2):
        future = data.draw(later_visits(month))
        assert design_row(with_future(past, future).until(index), scale) == alone


def test_a_diagnosis_that_is_still_to_come_leaks_neither() -> None:
    record = history((4.0, {}), (20.0, {}), diagnostic_delay_months=12.0)
    assert "diagnostic_delay_months" not in derive(record.until(0), "alsfrs_r_total")
    assert derive(record.until(1), "alsfrs_r_total")["diagnostic_delay_months"] == 12.0


def test_a_change_at_the_index_visit_does_show() -> None:
    """The law above would hold for a constant, too."""
    rows = {design_row(history((4.0, {"crp": value})), "alsfrs_r_total") for value in (1.0, 2.0, 3.0)}
    assert len(rows) == 3


MAKES = {  # what each part goes into
    **dict.fromkeys(("cd4_count", "treg_pct_cd4"), ("treg_count",)),
    **dict.fromkeys(("neutrophils", "lymphocytes"), ("nlr",)),
    **dict.fromkeys(("weight", "height"), ("bmi",)),
    **dict.fromkeys(REVISED, ("alsfrs_r_total",)),
    **dict.fromkeys(OLDER, ("alsfrs_total",)),
    **dict.fromkeys(set(REVISED) & set(OLDER), ("alsfrs_r_total", "alsfrs_total")),
}


@given(data=st.data(), scale=st.sampled_from(SCALES))
@settings(deadline=None, max_examples=100)
def test_dropping_a_marker_touches_only_its_own_columns(
    data: st.DataObject, scale: Scale, records: st.SearchStrategy[PatientRecord]
) -> None:
    record = data.draw(records)
    measured = sorted({name for visit in record.visits for name in visit.measurements})
    if not measured:
        return
    dropped = data.draw(st.sampled_from(measured))
    visits = tuple(
        replace(visit, measurements={n: m for n, m in visit.measurements.items() if n != dropped})
        for visit in record.visits
    )
    before, after = (derive(each, scale, MEASURED_AS) for each in (record, replace(record, visits=visits)))
    changed = {column for column in {**before, **after} if before.get(column) != after.get(column)}
    own = {dropped, *MAKES.get(dropped, ())}
    allowed = {column for column, feature in catalogue().items() if feature.quantity in own}
    assert changed <= (allowed | {"delta_fs"} if scale in own else allowed)


@given(
    st.lists(st.floats(0, 60), min_size=2, max_size=12, unique_by=lambda month: round(month, 3)),
    st.floats(0.001, 5000),
)
def test_a_value_that_never_changed_has_a_change_of_0_to_the_bit(months: list[float], value: float) -> None:
    """Trees ask whether a change is below 0; the rounding of a sum must not answer."""
    assert slope([(month, value) for month in sorted(months)]) == 0.0


def test_a_small_change_is_still_a_change() -> None:
    assert slope([(1.0, 5000.0), (2.0, 5000.000001), (3.0, 5000.000002)]) == pytest.approx(1e-6, rel=1e-3)


# ------------------------------------------------------------------------------- how Tregs were measured


def of_share(denominator: str, gate: str) -> Visit:
    share = Measurement(5.0, None, (("treg_denominator", denominator), ("treg_gate", gate)))
    return Visit(5.0, {"treg_pct_cd4": share, "cd4_count": Measurement(800.0), "lymphocytes": Measurement(2.0)})


def test_a_count_follows_from_a_share_of_cd4_cells_and_has_its_gate() -> None:
    assert complete(of_share("cd4", "cd25_cd127low"), MEASURED_AS)["treg_count"] == measurement("treg_count", 40.0)
    for denominator in ("lymphocytes", "leukocytes", "unknown"):
        known = {**MEASURED_AS, "treg_pct_cd4": (("treg_denominator", denominator), ("treg_gate", "cd25_cd127low"))}
        found = complete(of_share(denominator, "cd25_cd127low"), known)
        assert ("treg_pct_cd4" in found, "treg_count" in found) == (True, False)


def test_a_count_of_another_gate_than_that_of_training_does_not_follow() -> None:
    foxp3 = (("treg_denominator", "cd4"), ("treg_gate", "foxp3"))
    assert "treg_count" not in complete(of_share("cd4", "foxp3"), {**MEASURED_AS, "treg_pct_cd4": foxp3})
    both = {"treg_pct_cd4": foxp3, "treg_count": (("treg_gate", "foxp3"),)}
    assert complete(of_share("cd4", "foxp3"), both)["treg_count"].value == 40.0


def test_what_was_measured_otherwise_than_in_training_is_no_feature() -> None:
    record = PatientRecord((of_share("lymphocytes", "cd25_cd127low"),))
    features = derive(record, "alsfrs_r_total", MEASURED_AS)
    assert "treg_pct_cd4" not in features
    assert "treg_count_per_ul" not in features
    assert features["cd4_count_per_ul"] == 800.0
    assert "treg_pct_cd4" not in derive(PatientRecord((of_share("cd4", "cd25_cd127low"),)), "alsfrs_r_total")
