"""The cells of a table: dates of every kind, numbers of every type, and what counts as empty."""

from __future__ import annotations

import io
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from features.record import Measurement, PatientRecord, Visit
from features.table import Row, TablePatient, absent, known_columns, number, patients
from tests.features.rows import only, row, told


def dated(patient: str, day: object, onset: object = "2024-05-10", **cells: object) -> dict[str, object]:
    return {"patient_id": patient, "visit_date": day, "onset_date": onset, **cells}


@pytest.mark.parametrize(
    "day",
    [
        "2025-09-01",
        " 2025-09-01 ",
        "2025-09-01 00:00:00",
        "2025-09-01T10:30:00Z",
        date(2025, 9, 1),
        datetime(2025, 9, 1, 10, 30),
        pd.Timestamp("2025-09-01"),
        pd.Timestamp("2025-09-01 10:30", tz="Europe/Berlin"),
        np.datetime64("2025-09-01"),
        np.datetime64("2025-09-01T10:30:00.000000000"),
    ],
)
def test_a_date_is_any_that_python_and_pandas_have(day: object) -> None:
    assert only([dated("a", day)]).index_visit.month == 479 / 30.4375  # counted on a calendar


def test_dated_rows_are_sorted_and_aged() -> None:
    rows: list[Row] = [
        dated("a", "2026-05-10", crp_mg_l=4),  # 730 days after onset
        dated("a", "2024-11-10", None, age_years=60),  # 184 days
        dated("a", "2025-05-10", age_years=60),  # 365 days
    ]
    [patient] = patients(rows)
    assert patient.rows == (1, 2, 0)
    assert patient.record is not None
    assert [visit.month for visit in patient.record.visits] == [days / 30.4375 for days in (184, 365, 730)]
    assert patient.record.age_years == pytest.approx(60 + 546 / 365.25, rel=1e-12)


def test_bad_dates_are_told() -> None:
    form = "is not a date as YYYY-MM-DD; send the day alone, as in 2025-09-01"
    assert told([dated("a", "01.09.2025")]) == [f'row 1: visit_date = "01.09.2025" {form}']
    assert told([dated("a", "2025-09-011")]) == [f'row 1: visit_date = "2025-09-011" {form}']
    assert told([dated("a", "2025-02-30", "2024-5-1")]) == [
        'onset_date = "2024-5-1" is not a date as YYYY-MM-DD, YYYY-MM or YYYY; send the day, the month or the '
        "year, as in 2025-09-01, 2025-09 or 2025",
        'row 1: visit_date = "2025-02-30" is not a day of the calendar; check year, month and day',
    ]
    assert told([dated("a", "2024-05-09")]) == [
        'row 1: visit_date = "2024-05-09" is before the onset of symptoms; check onset_date and date'
    ]
    assert told([dated("a", "2025-09-01", None)]) == [
        "onset_date is needed where visits have dates; send onset_date, or months_since_onset by visit"
    ]
    assert told([dated("a", "2025-09-01"), dated("a", "2025-10-01", "2024-05-11")]) == [
        'row 2: onset_date = "2024-05-11" and "2024-05-10" contradicts another row of the patient; '
        "correct the rows, or split the patient"
    ]


def test_a_table_has_months_or_dates() -> None:
    assert told([{**dated("a", "2025-09-01"), "months_since_onset": 16}]) == [
        "row 1 has both a date and months_since_onset; send either date or months_since_onset"
    ]
    with_onset = {**row(month=16), "onset_date": "2024-05-10"}  # and no visit_date: months are the time
    assert only([with_onset]).index_visit.month == 16.0


# ------------------------------------------------------------------------------------------- cells of all kinds


@pytest.mark.parametrize(
    "cell", [None, "", "  ", float("nan"), np.nan, np.float32("nan"), np.float64("nan"), pd.NA, pd.NaT]
)
def test_an_empty_cell_is_absent_everywhere(cell: object) -> None:
    assert absent(cell)
    full = dict.fromkeys(known_columns(), cell)
    assert only([{**full, "months_since_onset": 12.0}]) == PatientRecord((Visit(12.0, {}),))
    assert told([full]) == ["row 1 has no time; send either date or months_since_onset"]


@pytest.mark.parametrize("cell", [0, 0.0, False, "0", "NA", [], np.int64(0), float("inf")])
def test_a_cell_that_says_something_is_not_absent(cell: object) -> None:
    assert not absent(cell)


@pytest.mark.parametrize(
    "cell", [40, 40.0, "40", " 40.0", np.int64(40), np.int8(40), np.float32(40), np.float64(40)]
)
def test_a_number_is_any_that_python_and_numpy_have(cell: object) -> None:
    assert number(cell) == 40
    record = only([row(month=cell, age_years=cell, diagnostic_delay_months=cell, alsfrs_r_total=cell)])
    assert record == PatientRecord((Visit(40.0, {"alsfrs_r_total": Measurement(40.0)}),), {}, 40.0, 40.0)
    assert all(type(value) is float for value in (record.age_years, record.index_visit.month))


@pytest.mark.parametrize("kind", ["float32", "Int64", "Float64", "str", "object"])
def test_rows_are_ordered_whatever_the_type_of_their_time(kind: str) -> None:
    frame = pd.DataFrame({"patient_id": ["a"] * 3, "months_since_onset": pd.array([20, 4, 12], dtype=kind)})
    [patient] = patients([made.to_dict() for _, made in frame.iterrows()])
    assert (patient.rows, patient.problems) == ((1, 2, 0), ())


CSV = """\
patient_id,months_since_onset,alsfrs_r_total,crp_mg_l,sex,riluzole
7,12,40,<0.3,male,
7,15,38,2.5,,yes
8,9,,,female,
"""
FROM_CSV = {
    "7": PatientRecord(
        (
            Visit(12.0, {"alsfrs_r_total": Measurement(40.0), "crp": Measurement(0.3, "<")}),
            Visit(15.0, {"alsfrs_r_total": Measurement(38.0), "crp": Measurement(2.5)}, "yes"),
        ),
        {"sex": "male"},
    ),
    "8": PatientRecord((Visit(9.0, {}),), {"sex": "female"}),
}


@pytest.mark.parametrize("backend", ["default", "numpy_nullable", "pyarrow"])
def test_a_csv_file_through_pandas(backend: str) -> None:
    frame = pd.read_csv(io.StringIO(CSV))
    if backend != "default":
        frame = frame.convert_dtypes(dtype_backend=backend)  # type: ignore[arg-type]
    rows: list[Row] = [{str(key): cell for key, cell in made.items()} for made in frame.to_dict("records")]
    assert {patient.patient_id: patient.record for patient in patients(rows)} == FROM_CSV


def test_a_row_without_a_patient_stands_for_itself() -> None:
    rows: list[Row] = [row(None, 12.0), row("row 1", 3.0), row(float("nan"), 9.0), row(" ", 9.0), {}]
    found = patients(rows)
    assert [(p.patient_id, p.rows) for p in found] == [
        ("row 1", (0,)),
        ("row 1", (1,)),
        ("row 3", (2,)),
        ("row 4", (3,)),
        ("row 5", (4,)),
    ]
    assert [p.record is None for p in found] == [False, False, False, False, True]


def test_no_rows_are_no_patients() -> None:
    nobody: list[TablePatient] = []
    assert patients([]) == nobody


def test_known_columns_by_hand() -> None:
    columns = known_columns()
    assert columns["treg_count_per_ul"] == "treg_count"
    assert columns["treg_count_per_ul_comparator"] == "treg_count_per_ul"
    assert columns["treg_responder_ratio"] == "treg_suppression"
    assert columns["age_years"] == "age"
    assert {"patient_id", "site", "visit_date", "onset_date", "death_month", "sex", "riluzole"} <= columns.keys()
    assert "crp" not in columns
