"""The table form: the same records as the JSON form, whatever the order, the type or the unit of the cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.compose import compose
from features.derive import derive
from features.feature import catalogue
from features.matrix import DesignMatrix
from features.parse import parse_record
from features.record import Measurement, PatientRecord, Visit
from features.table import Row, patients
from features.vocabulary import vocabulary
from tests.features.rows import last, only, row, told
from tests.measured import QUALIFIED

QUANTITIES = vocabulary().quantities


# ------------------------------------------------------------------------------------ the same as the JSON form


def as_rows(patient: str, record: PatientRecord) -> list[dict[str, object]]:
    """The rows of a record, written independently of `features.table`."""
    rows = []
    for visit in record.visits:
        cells: dict[str, object] = {**record.categories, "riluzole": visit.riluzole}
        cells["diagnostic_delay_months"] = record.diagnostic_delay_months
        for name, item in visit.measurements.items():
            column = QUANTITIES[name].column
            cells[column] = item.value
            cells[f"{column}_comparator"] = item.comparator
            cells.update(item.qualifiers)
        rows.append(row(patient, visit.month, **cells))
    if record.age_years is not None:
        rows[-1]["age_years"] = record.age_years
    return rows


def known(record: PatientRecord) -> PatientRecord:
    """What a table can hold: no reference."""
    body = compose(record)
    body.pop("reference", None)
    return parse_record(body, today=date.max)


@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_rows_in_any_order_are_the_records_of_the_json_form(
    data: st.DataObject, records: st.SearchStrategy[PatientRecord]
) -> None:
    cohort = {str(key): record for key, record in enumerate(data.draw(st.lists(records, min_size=1, max_size=3)))}
    rows = [made for patient, record in cohort.items() for made in as_rows(patient, record)]
    shuffled = data.draw(st.permutations(rows))
    found = patients(shuffled)
    assert [patient.patient_id for patient in found] == list(dict.fromkeys(str(r["patient_id"]) for r in shuffled))
    for patient in found:
        assert patient.problems == ()
        assert patient.record == known(cohort[patient.patient_id])
        months = [shuffled[position]["months_since_onset"] for position in patient.rows]
        assert months == [visit.month for visit in cohort[patient.patient_id].visits]


def test_patients_need_not_be_contiguous() -> None:
    rows = [row("b", 9.0), row("a", 3.0), row("b", 4.0), row("a", 1.0), row("c", 2.0)]
    found = patients(rows)
    assert [(patient.patient_id, patient.rows) for patient in found] == [
        ("b", (2, 0)),
        ("a", (3, 1)),
        ("c", (4,)),
    ]


def test_a_problem_of_one_patient_is_no_problem_of_another() -> None:
    good, bad = patients([row("good", crp_mg_l=4.0), row("bad", crp_mg_l=4000.0)])
    assert (good.problems, bad.record) == ((), None)
    assert good.record == PatientRecord((Visit(12.0, {"crp": Measurement(4.0)}),))


LaterVisits = Callable[[float], st.SearchStrategy[tuple[Visit, ...]]]


@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_later_rows_leave_no_trace_in_an_earlier_design_row(
    data: st.DataObject, records: st.SearchStrategy[PatientRecord], later_visits: LaterVisits
) -> None:
    """Also where the age comes from a first row, and is counted to the last one and back."""
    past = data.draw(records)
    index = len(past.visits) - 1
    rows = as_rows("a", past)
    rows[0]["age_years"] = rows[-1].pop("age_years", None)
    future = data.draw(later_visits(past.index_visit.month))
    later = as_rows("a", PatientRecord(future, past.categories)) if future else []
    matrix = DesignMatrix(tuple(catalogue()), qualified=QUALIFIED)
    alone = matrix.row(only([*rows]).until(index)).tobytes()
    assert matrix.row(only([*rows, *later]).until(index)).tobytes() == alone


# ---------------------------------------------------------------------------------------------------- censoring


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"crp_mg_l": "<0.3"}, Measurement(0.3, "<")),
        ({"crp_mg_l": " < 0.3 "}, Measurement(0.3, "<")),
        ({"crp_mg_l": "> 3.5e2"}, Measurement(350.0, ">")),
        ({"crp_mg_l": 0.3, "crp_mg_l_comparator": "<"}, Measurement(0.3, "<")),
        ({"crp_mg_l": "0.3", "crp_mg_l_comparator": ">"}, Measurement(0.3, ">")),
        ({"crp_mg_l": "<0.3", "crp_mg_l_comparator": "<"}, Measurement(0.3, "<")),
        ({"crp_mg_l": 0.3, "crp_mg_l_comparator": ""}, Measurement(0.3)),
        ({"crp_mg_l": 0.3, "crp_mg_l_comparator": None}, Measurement(0.3)),
        ({"crp_mg_l": "4.25"}, Measurement(4.25)),
    ],
)
def test_a_limit_is_text_or_a_column_of_its_own(cells: dict[str, object], expected: Measurement) -> None:
    assert last([row(**cells)]) == {"crp": expected}


def test_a_comparator_without_a_value_is_nothing() -> None:
    assert last([row(crp_mg_l=None, crp_mg_l_comparator="<")]) == {}


def test_a_limit_is_converted_too() -> None:
    assert last([row(crp_mg_l="<0.03")], {"crp_mg_l": "mg/dL"}) == {"crp": Measurement(0.3, "<")}


def test_a_text_and_a_column_that_contradict_each_other_are_a_problem() -> None:
    assert told([row(crp_mg_l="<0.3", crp_mg_l_comparator=">")]) == [
        'row 1: crp_mg_l_comparator = "< and >" is not a comparator; send "<" or ">", or leave it out'
    ]


def test_how_tregs_were_measured_is_said_by_the_row() -> None:
    stated = row(treg_suppression_pct=60, treg_responder_ratio="1:8")
    assert last([stated]) == {"treg_suppression": Measurement(60.0, None, (("treg_responder_ratio", "1:8"),))}
    both = row(treg_count_per_ul=40, treg_pct_cd4=5, treg_gate="foxp3", treg_denominator="unknown")
    gate = ("treg_gate", "foxp3")
    assert last([both]) == {
        "treg_count": Measurement(40.0, None, (gate,)),
        "treg_pct_cd4": Measurement(5.0, None, (("treg_denominator", "unknown"), gate)),
    }


def test_without_saying_how_tregs_were_measured_a_row_is_refused_with_both_remedies() -> None:
    nothing = dict.fromkeys(("treg_gate", "treg_denominator", "treg_responder_ratio"), " ")
    problems = told([row(treg_count_per_ul=40, treg_pct_cd4=5, treg_suppression_pct=60, **nothing)])
    required = "is required where {} has a value: it means nothing without it"
    assert [problem.partition("; ")[0] for problem in problems] == [
        f"row 1: treg_gate {required.format('treg_count_per_ul')}",
        f"row 1: treg_denominator {required.format('treg_pct_cd4')}",
        f"row 1: treg_gate {required.format('treg_pct_cd4')}",
        f"row 1: treg_responder_ratio {required.format('treg_suppression_pct')}",
    ]
    assert problems[1].partition("; ")[2] == (
        "fill in a column treg_denominator, or state it for the whole file in the mapping: [constants] "
        'treg_denominator = "..."; send one of cd4, lymphocytes, leukocytes, or unknown where nobody can say'
    )


def test_where_no_treg_was_measured_nothing_has_to_be_said_of_how() -> None:
    assert last([row(crp_mg_l=4.0, treg_gate="whatever")]) == {"crp": Measurement(4.0)}


# -------------------------------------------------------------------------------------------------------- units


def test_a_column_may_be_in_another_unit() -> None:
    rows: list[Row] = [row(month=1.5, age_years=732, diagnostic_delay_months=0.5, crp_mg_l=0.57, nfl_pg_ml=40)]
    units = {"months_since_onset": "a", "age_years": "mo", "diagnostic_delay_months": "a", "crp_mg_l": "mg/dL"}
    record = only(rows, units)
    assert record.index_visit == Visit(18.0, {"crp": Measurement(5.7), "nfl": Measurement(40.0)})
    assert (record.age_years, record.diagnostic_delay_months) == (61.0, 6.0)


def test_a_unit_that_is_not_accepted_is_told_not_guessed() -> None:
    units = {"crp_mg_l": "mmol/L", "age_years": "yr", "months_since_onset": "weeks"}
    assert told([row(crp_mg_l=4.0, age_years=61)], units) == [
        'row 1: age_years.unit = "yr" is not a unit of Age; is "a" meant? send one of a, mo (UCUM codes)',
        'row 1: months_since_onset.unit = "weeks" is not a unit of Months since onset; '
        "send one of mo, a, d (UCUM codes)",
        'row 1: crp_mg_l.unit = "mmol/L" is not a unit of C-reactive protein; '
        "send one of mg/L, mg/dL, ug/mL, ug/L, ng/mL (UCUM codes)",
    ]


# ------------------------------------------------------------------------------------- age, and other constants


def test_the_age_is_that_at_the_last_row() -> None:
    """Tables repeat a rounded age: 61 at the first visit is 62.5 a year and a half later, not 61 or 62."""
    rows = [row(month=10, age_years=61), row(month=16, age_years=61), row(month=28, age_years=62)]
    assert only(rows).age_years == 62.5
    assert only(rows[::-1]).age_years == 62.5
    assert only([row(month=10), row(month=16, age_years=61), row(month=28)]).age_years == 62.0
    assert only(rows).until(0).age_years == 61.0


@pytest.mark.parametrize(("unit", "months"), [("a", [1, 2.5]), ("d", [365.25, 913.125]), ("mo", [12, 30])])
def test_the_time_between_rows_is_in_the_unit_of_the_table(unit: str, months: list[float]) -> None:
    rows = [row(month=months[0], age_years=61), row(month=months[1])]
    assert only(rows, {"months_since_onset": unit}).age_years == 62.5
    assert only(rows, {"months_since_onset": unit}).index_visit.month == 30.0


def test_a_bad_age_is_a_problem_of_its_column() -> None:
    assert told([row(age_years="sixty")]) == [
        'row 1: age_years = "sixty" is not a number; write a number, or nothing'
    ]
    assert told([row(age_years=True)]) == ["row 1: age_years = true is not a number; write a number, or nothing"]
    assert told([row(age_years=1961)]) == [
        "row 1: age_years = 1961 a is above 18-110 a; check the value and its unit"
    ]


@pytest.mark.parametrize(("age", "says"), [("sixty", '"sixty" is not a number'), (605, "605 a is above 18-110 a")])
def test_a_bad_age_of_a_later_row_is_told_too(age: object, says: str) -> None:
    [problem] = told([row(age_years=60), row(month=18.0, age_years=age)])
    assert says in problem


def test_a_constant_may_stand_on_any_row() -> None:
    rows = [row(month=10, sex=None), row(month=12, sex="male"), row(month=14, diagnostic_delay_months=7)]
    assert only(rows).categories == {"sex": "male"}
    assert only(rows).diagnostic_delay_months == 7.0


@pytest.mark.parametrize(("unit", "delay"), [("mo", 15), ("a", 1.25), ("d", 456.5625)])
def test_a_diagnosis_after_the_last_row_is_not_known_yet(unit: str, delay: float) -> None:
    """What a table says of a patient it learnt afterwards; a single record that says so is refused."""

    def known(record: PatientRecord) -> float | None:
        return derive(record, "alsfrs_r_total").get("diagnostic_delay_months")

    units = {"diagnostic_delay_months": unit}
    rows = [row(month=10, diagnostic_delay_months=delay), row(month=14.75)]
    assert known(only(rows, units)) is None
    assert known(only([*rows, row(month=15)], units)) == 15.0
    assert known(only([*rows, row(month=15)], units).until(1)) is None
    dated: list[Row] = [{"patient_id": "A", "onset_date": "2024-01-01", "visit_date": "2025-04-01"}]
    assert known(only([{**dated[0], "diagnostic_delay_months": delay}], units)) is None  # 14.98
    assert only(rows, units).diagnostic_delay_months == 15.0  # within a month: said, not used
    assert only(rows, units).until(0).diagnostic_delay_months is None  # five months before nobody knew


def test_a_delay_that_is_no_delay_is_told_though_it_is_after_the_last_row() -> None:
    [problem] = told([row(month=10, diagnostic_delay_months=601)])
    assert problem.startswith("diagnostic_delay_months = 601 mo is above 0-600 mo")
    rows = [row(month=10, diagnostic_delay_months=50), row(month=12, diagnostic_delay_months=60)]
    [problem] = told(rows)
    assert problem.startswith("row 2: diagnostic_delay_months = 60 and 50 contradicts another row of the patient")


def test_a_constant_that_changes_between_rows_is_a_problem() -> None:
    rows = [
        row(month=10, sex="male", onset_site="bulbar", diagnostic_delay_months=7, riluzole="no"),
        row(month=12, sex="female", onset_site="bulbar", diagnostic_delay_months=8, riluzole="yes"),
    ]
    says = "contradicts another row of the patient; correct the rows, or split the patient"
    assert told(rows) == [
        f'row 2: sex = "female" and "male" {says}',
        f"row 2: diagnostic_delay_months = 8 and 7 {says}",
    ]
    assert only([{**made, "sex": "male", "diagnostic_delay_months": "7"} for made in rows]).visits == (
        Visit(10.0, {}, "no"),
        Visit(12.0, {}, "yes"),
    )


def test_one_number_written_in_two_ways_is_one_number() -> None:
    rows = [row(month=10, diagnostic_delay_months=7), row(month=12, diagnostic_delay_months="7.0")]
    assert only(rows).diagnostic_delay_months == 7.0


# ----------------------------------------------------------------------------------------------------- problems


def test_problems_are_told_by_row_and_column() -> None:
    rows: list[Row] = [
        row("a", 14.0, crp_mg_l=8213.5, nfl_pg_ml="high"),
        row("b", 1.0),
        row("a", 12.0, treg_suppression_pct=60, treg_responder_ratio="1:3", il6_pg_ml=1, il6_pg_ml_comparator="~"),
        row("a", None, riluzole="maybe"),
        row("a", 900.0, sex="m", alsfrs_r_total=38.5),
    ]
    found, _ = patients(rows)
    assert (found.patient_id, found.rows, found.record) == ("a", (2, 0, 4, 3), None)
    assert [str(problem) for problem in found.problems] == [
        'sex = "m" is not one of the values; send one of "female", "male", or leave it out',
        'row 3: treg_responder_ratio = "1:3" is not one of the values; send one of 1:1, 1:2, 1:4, 1:8, '
        "1:16, or unknown where nobody can say",
        'row 3: il6_pg_ml_comparator = "~" is not a comparator; send "<" or ">", or leave it out',
        "row 1: crp_mg_l = 8213.5 mg/L is above 0-500 mg/L; sent in ug/L?",
        'row 1: nfl_pg_ml = "high" is not a number; write a number, or nothing',
        "row 5: months_since_onset = 900 mo is above 0-600 mo; sent in d?",
        "row 5: alsfrs_r_total = 38.5 points is not a whole number; a score is a whole number of points",
        "row 4 has no time; send either date or months_since_onset",
        'row 4: riluzole = "maybe" is not one of the values; send one of "yes", "no", or leave it out',
    ]


def test_two_rows_of_one_time_are_a_problem_of_the_second() -> None:
    rows = [row("a", 12.0), row("b", 12.0), row("a", 12.0)]
    found, _ = patients(rows)
    assert [str(problem) for problem in found.problems] == [
        "row 3 is at the same time as the visit before it; merge the two, or drop one"
    ]


def test_a_contradiction_is_told_with_its_column() -> None:
    [problem] = told([row(treg_count_per_ul=700, cd4_count_per_ul=700, treg_pct_cd4=7)])
    assert problem.startswith("row 1: treg_count_per_ul = 700 /uL contradicts 49 /uL, ")


@pytest.mark.parametrize("cell", ["1_000", "inf", "-inf", "Infinity", "1,5", "ca. 5", "<", "<x", "≤3", True, [4.0]])
def test_what_is_not_a_number_is_told(cell: object) -> None:
    [problem] = told([row(crp_mg_l=cell)])
    assert problem.startswith("row 1: crp_mg_l")


def test_an_identifier_is_one_text_whatever_its_type() -> None:
    """12, 12.0 and "12" are one patient; "012" is another."""
    cells = [12, 12.0, "12", Decimal("12.00"), np.int64(12), np.float32(12), "012", " 12", None, math.nan, "  "]
    rows = [{"patient_id": cell, "months_since_onset": 10.0 + at} for at, cell in enumerate(cells)]
    found = {patient.patient_id: patient.rows for patient in patients(rows)}
    assert found["12"] == (0, 1, 2, 3, 4, 5)
    assert [found[name] for name in ("012", " 12", "row 9", "row 10", "row 11")] == [(6,), (7,), (8,), (9,), (10,)]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        (2.0**53, "at or beyond 2^53"),
        (np.float32(2.0**24), "at or beyond 2^24"),
        (12.5, "a number with a fraction"),
        (True, "no text and no whole number"),
        (b"a", "no text and no whole number"),
        (date(2025, 1, 1), "no text and no whole number"),
        (np.datetime64("2025-01-01"), "no text and no whole number"),
    ],
)
def test_what_is_no_identifier_is_a_problem_of_its_row_alone(cell: object, rule: str) -> None:
    rows = [{"patient_id": cell, "months_since_onset": 10.0}, {"patient_id": "a", "months_since_onset": 11.0}]
    refused, other = patients(rows)
    [problem] = refused.problems
    assert refused.record is None
    assert (problem.code, problem.field) == ("bad_identifier", "row 1: patient_id")
    assert rule in problem.rule
    assert other.record is not None
