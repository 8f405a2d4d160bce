"""An onset or a birth known to the month or the year: the middle is taken, and how far it may be off is known.

Days are counted on a calendar.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from features.parse import parse_record
from features.record import PatientRecord
from tests.features.rows import only, told

DAYS_PER_MONTH, DAYS_PER_YEAR = 30.4375, 365.25
TODAY = date(2026, 7, 1)


def read(*days: str, **patient: Any) -> PatientRecord:
    visits = [{"date": day, "measurements": {}} for day in days]
    return parse_record({**patient, "visits": visits}, today=TODAY)


@pytest.mark.parametrize(
    ("onset", "days", "margin"),
    [
        ("2025-06-14", 79.0, 0.0),
        ("2025-06", 77.5, 14.5),  # from 1 to 30 June; 31 days from 1 August to 1 September
        ("2025", 121.5, 121.5),  # of the year, what lies before the visit: from 1 January to 1 September
        ("2024", 426.5, 182.5),  # a leap year: from 1 January to 31 December, its middle between 1 and 2 July
        ("2024-02", 564.0, 14.0),
        ("2025-09", 0.0, 0.0),  # of September, the day of the visit alone
    ],
)
def test_the_middle_of_the_period_is_the_onset(onset: str, days: float, margin: float) -> None:
    record = read("2025-09-01", onset_date=onset)
    assert record.index_visit.month == pytest.approx(days / DAYS_PER_MONTH)
    assert record.onset_margin_months == pytest.approx(margin / DAYS_PER_MONTH)


def test_the_onset_is_not_after_the_first_visit() -> None:
    """Of 2025, the part until 1 March: 60 days, so 29.5 on either side; later visits are counted from there."""
    record = read("2025-03-01", "2025-09-01", onset_date="2025")
    assert [visit.month for visit in record.visits] == pytest.approx([29.5 / 30.4375, 213.5 / 30.4375])
    assert record.onset_margin_months == pytest.approx(29.5 / 30.4375)


def test_a_table_reads_what_a_record_says() -> None:
    for onset in ("2025-06", "2025", 2025, 2025.0, date(2025, 6, 14)):
        rows: list[dict[str, object]] = [
            {"patient_id": "a", "visit_date": day, "onset_date": onset, "birth_date": "1961-04"}
            for day in ("2025-07-01", "2025-09-01")
        ]
        text = str(int(onset)) if isinstance(onset, float) else str(onset)
        assert only([*rows]) == read("2025-07-01", "2025-09-01", onset_date=text, birth_date="1961-04")


@pytest.mark.parametrize(
    ("birth", "days", "margin"),
    [("1961-04-02", 23528.0, 0.0), ("1961-04", 23514.5, 14.5), ("1961", 23437.0, 182.0)],
)
def test_the_age_follows_from_the_birth(birth: str, days: float, margin: float) -> None:
    """From 2 April 1961 to 1 September 2025: 64 years of 365 days, 16 leap days, and 152 days."""
    record = read("2025-03-01", "2025-09-01", onset_date="2024-05-10", birth_date=birth)
    assert record.age_years == pytest.approx(days / DAYS_PER_YEAR)
    assert record.age_margin_years == pytest.approx(margin / DAYS_PER_YEAR)


@pytest.mark.parametrize("age", [63.0, 64.0, 64.4, 65.9])
def test_an_age_beside_a_birth_may_be_rounded(age: float) -> None:
    alone = read("2025-09-01", onset_date="2024-05-10", birth_date="1961-04-02")
    both = read("2025-09-01", onset_date="2024-05-10", birth_date="1961-04-02", age={"value": age, "unit": "a"})
    assert both == alone


def test_a_delay_is_known_as_far_as_the_onset_allows() -> None:
    """Diagnosed 8 months after an onset in 2025, seen on 1 September: possible, if it began in January."""
    delay = {"value": 7.5, "unit": "mo"}
    assert read("2025-09-01", onset_date="2025", diagnostic_delay=delay).diagnostic_delay_months == 7.5
    row = {"patient_id": "a", "visit_date": "2025-09-01", "onset_date": "2025", "diagnostic_delay_months": 7.5}
    assert only([row]).diagnostic_delay_months == 7.5


# --------------------------------------------------------------------------------- ages that contradict each other


def rows(*seen: tuple[float, object], **more: object) -> list[dict[str, object]]:
    return [{"patient_id": "a", "months_since_onset": month, "age_years": age, **more} for month, age in seen]


def test_an_age_that_jumps_is_a_contradiction() -> None:
    assert told([*rows((12, 70), (15, 40))]) == [
        "row 2: age_years = 40 a, and 70.2 a by an earlier row contradicts the age of another row and the time "
        "between (allowed 1.5 a apart); send the age at the visit of each row, or birth_date in its place"
    ]
    assert len(told([*rows((15, 40), (12, 70))])) == 1
    assert len(told([*rows((12, 70), (15, 70), (60, 71), (63, None))])) == 1  # 74 by the first


@pytest.mark.parametrize(
    "seen", [((12, 70), (24, 71), (36, 72)), ((12, 70), (13, 71), (36, 71)), ((12, 70), (48, 70)), ((12, 70),)]
)
def test_ages_that_follow_the_time_or_stand_still_are_that_of_the_first(
    seen: tuple[tuple[float, object], ...],
) -> None:
    assert only([*rows(*seen)]).age_years == pytest.approx(70 + (seen[-1][0] - 12) / 12)


def test_the_births_of_a_patient_are_one() -> None:
    twice: list[dict[str, object]] = [
        {"patient_id": "a", "visit_date": day, "onset_date": "2024-01", "birth_date": birth}
        for day, birth in (("2025-01-01", "1961"), ("2025-04-01", "1962"))
    ]
    assert told([*twice]) == [
        'row 2: birth_date = "1962" and "1961" contradicts another row of the patient; '
        "correct the rows, or split the patient"
    ]
    in_months = [{"patient_id": "a", "months_since_onset": 12, "birth_date": "1961"}]
    assert told([*in_months]) == [
        "birth_date stands without dates of visits, from which the age follows; "
        "date the visits, or send the age in its place"
    ]


@pytest.mark.parametrize(
    ("column", "cell", "called"),
    [
        ("alsfrs_r_total", "<37", "a score, which is counted"),
        ("alsfrs_speech", ">2", "a score, which is counted"),
    ],
)
def test_a_limit_at_a_score_is_refused(column: str, cell: str, called: str) -> None:
    row = {"patient_id": "a", "months_since_onset": 12, column: cell}
    says = f'row 1: {column}_comparator = "{cell[0]}" stands at {called}: it has no limit of detection; '
    assert told([row]) == [says + "send the number alone, or leave the measurement out"]
    apart = {**row, column: int(cell[1:]), f"{column}_comparator": cell[0]}
    assert told([apart]) == told([row])


@pytest.mark.parametrize("column", ["age_years", "diagnostic_delay_months", "months_since_onset"])
def test_a_limit_at_a_time_is_refused(column: str) -> None:
    row = {"patient_id": "a", "months_since_onset": 24, "age_years": 60, "diagnostic_delay_months": 9}
    [problem] = told([{**row, f"{column}_comparator": "<"}])
    assert problem.startswith(f'row 1: {column}_comparator = "<" stands at ')
    row.pop(column)
    if column != "months_since_onset":
        only([{**row, f"{column}_comparator": "<"}])  # of nothing, nothing is said
