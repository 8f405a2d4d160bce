"""A record: how it is read, written back, and cut at an index visit."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError
from datetime import date
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.compose import compose
from features.parse import parse_record
from features.problem import LONGEST_SHOWN, Problem, Rejected, shown
from features.record import Measurement, PatientRecord, Visit
from features.strict_json import loads

TODAY = date(2026, 7, 1)
SCORE = {"alsfrs_r_total": {"value": 38, "unit": "{score}"}}


def parse(body: object) -> PatientRecord:
    return parse_record(body, today=TODAY)


def at(month: float, unit: str = "mo", **measurements: object) -> dict[str, object]:
    return {"months_since_onset": {"value": month, "unit": unit}, "measurements": measurements}


def measured(**measurements: object) -> dict[str, Measurement]:
    return dict(parse({"visits": [at(18, **measurements)]}).index_visit.measurements)


def test_a_whole_record_by_hand() -> None:
    body = {
        "reference": "case 7",
        "sex": "female",
        "onset_site": "bulbar",
        "c9orf72": "normal",
        "age": {"value": 732, "unit": "mo"},
        "diagnostic_delay": {"value": 1, "unit": "a"},
        "visits": [
            at(12, **SCORE),
            {
                **at(1.5, "a", crp={"value": 0.3, "unit": "mg/L", "comparator": "<"}),
                "riluzole": "yes",
            },
            at(
                609,
                "d",  # 609 / 30.4375 = 20.0082...
                treg_suppression={"value": 0.62, "unit": "1", "treg_responder_ratio": "1:4", "comparator": ">"},
                treg_count={"value": 0.045, "unit": "10*9/L", "treg_gate": "foxp3"},
            ),
        ],
    }
    assert parse(body) == PatientRecord(
        visits=(
            Visit(12.0, {"alsfrs_r_total": Measurement(38.0)}),
            Visit(18.0, {"crp": Measurement(0.3, "<")}, "yes"),
            Visit(
                609 / 30.4375,
                {
                    "treg_suppression": Measurement(62.0, ">", (("treg_responder_ratio", "1:4"),)),
                    "treg_count": Measurement(45.0, None, (("treg_gate", "foxp3"),)),
                },
            ),
        ),
        categories={"sex": "female", "onset_site": "bulbar", "c9orf72": "normal"},
        age_years=61.0,
        diagnostic_delay_months=12.0,
        reference="case 7",
    )


def test_only_visits_with_time_and_measurements_are_required() -> None:
    assert parse({"visits": [at(0)]}) == PatientRecord((Visit(0.0, {}),))


# Days from the onset on 2024-02-10, counted on a calendar: 2024 is a leap year.
DAYS = {"2024-02-10": 0, "2024-03-10": 29, "2025-02-10": 366, "2025-09-01": 569, "2026-07-01": 872}


def test_dates_and_months_since_onset_are_the_same_record() -> None:
    dated = {"onset_date": "2024-02-10", "visits": [{"date": day, "measurements": SCORE} for day in DAYS]}
    in_days = {"visits": [at(days, "d", **SCORE) for days in DAYS.values()]}
    in_months = {"visits": [at(days * 12 / 365.25, **SCORE) for days in DAYS.values()]}
    assert parse(dated) == parse(in_days)
    assert [visit.month for visit in parse(dated).visits] == pytest.approx(
        [visit.month for visit in parse(in_months).visits], rel=1e-15
    )


@given(st.dates(date(1980, 1, 1), TODAY), st.integers(0, 18000))
@settings(deadline=None, max_examples=100)
def test_any_date_is_days_since_onset(onset: date, days: int) -> None:
    if onset.toordinal() + days > TODAY.toordinal():
        days = TODAY.toordinal() - onset.toordinal()
    day = date.fromordinal(onset.toordinal() + days)
    dated = {"onset_date": onset.isoformat(), "visits": [{"date": day.isoformat(), "measurements": {}}]}
    assert parse(dated) == parse({"visits": [at(days, "d")]})


def test_today_is_not_the_future() -> None:
    body = {"onset_date": "2026-07-01", "visits": [{"date": "2026-07-01", "measurements": {}}]}
    assert parse(body).index_visit.month == 0.0
    with pytest.raises(Rejected, match=r"1 future_onset, 1 future_visit"):
        parse_record(body, today=date(2026, 6, 30))


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        ({"value": 0.57, "unit": "mg/dL"}, {"value": 5.7, "unit": "mg/L"}),
        ({"value": 5700, "unit": "ug/L"}, {"value": 5.7, "unit": "mg/L"}),
        ({"value": 5.7, "unit": "ug/mL"}, {"value": 5.7, "unit": "mg/L"}),
        ({"value": 5700, "unit": "ng/mL"}, {"value": 5.7, "unit": "mg/L"}),
    ],
)
def test_units_of_a_power_of_ten_give_the_very_same_number(sent: object, same: object) -> None:
    assert measured(crp=sent) == measured(crp=same) == {"crp": Measurement(5.7)}


def test_a_comparator_is_kept_and_moves_with_the_unit() -> None:
    sent = {"value": 0.03, "unit": "mg/dL", "comparator": "<"}
    assert measured(crp=sent) == {"crp": Measurement(0.3, "<")}
    assert measured(crp={**sent, "comparator": ">"}) == {"crp": Measurement(0.3, ">")}


def test_whole_numbers_are_scores_however_they_are_written() -> None:
    for text in (b"38", b"38.0", b"3.8e1"):
        body = b'{"visits": [{"months_since_onset": {"value": 18, "unit": "mo"}, "measurements": '
        body += b'{"alsfrs_r_total": {"value": ' + text + b', "unit": "{score}"}}}]}'
        assert parse(loads(body)).index_visit.measurements == {"alsfrs_r_total": Measurement(38.0)}


def test_four_hundred_visits_are_a_history() -> None:
    assert len(parse({"visits": [at(month) for month in range(400)]}).visits) == 400


@given(data=st.data())
@settings(deadline=None, max_examples=100)
def test_parse_reads_what_compose_writes(data: st.DataObject, records: st.SearchStrategy[PatientRecord]) -> None:
    record = data.draw(records)
    text = json.dumps(compose(record)).encode()
    assert parse(loads(text)) == record


def test_compose_by_hand() -> None:
    record = PatientRecord(
        (Visit(18.0, {"treg_suppression": Measurement(62.0, "<", (("treg_responder_ratio", "1:2"),))}, "no"),),
        {"onset_site": "spinal"},
        age_years=61.5,
        diagnostic_delay_months=9.0,
        reference="r",
    )
    assert compose(record) == {
        "reference": "r",
        "onset_site": "spinal",
        "age": {"value": 61.5, "unit": "a"},
        "diagnostic_delay": {"value": 9.0, "unit": "mo"},
        "visits": [
            {
                "months_since_onset": {"value": 18.0, "unit": "mo"},
                "riluzole": "no",
                "measurements": {
                    "treg_suppression": {
                        "value": 62.0,
                        "unit": "%",
                        "comparator": "<",
                        "treg_responder_ratio": "1:2",
                    }
                },
            }
        ],
    }


THREE = PatientRecord(
    (Visit(10.0, {}, "no"), Visit(13.0, {"crp": Measurement(3.0)}), Visit(22.0, {"crp": Measurement(8.0)}, "yes")),
    {"sex": "male"},
    age_years=61.0,
    diagnostic_delay_months=12.0,
    reference="r",
)


def test_until_drops_the_future() -> None:
    assert THREE.until(0) == PatientRecord(THREE.visits[:1], {"sex": "male"}, 60.0, None, "r")
    assert THREE.until(1) == PatientRecord(THREE.visits[:2], {"sex": "male"}, 60.25, 12.0, "r")
    assert THREE.until(2) == THREE
    assert THREE.until(1).until(0) == THREE.until(0)


def test_until_counts_from_the_end_as_python_does_and_refuses_what_is_not_there() -> None:
    assert THREE.until(-1) == THREE
    assert THREE.until(-3) == THREE.until(0)
    for visit in (3, -4):
        with pytest.raises(IndexError):
            THREE.until(visit)


def test_a_record_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        THREE.age_years = 70.0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(THREE)) == THREE


def test_an_error_holds_counts_and_its_problems_hold_the_values() -> None:
    problems = [Problem("b", "x", "canary", "is", "do"), Problem("a", "y", "canary", "is", "do")]
    error = Rejected([*problems, problems[0]])
    assert (str(error), repr(error)) == ("rejected: 1 a, 2 b", "Rejected('rejected: 1 a, 2 b')")
    assert str(error.problems[0]) == "x = canary is; do"
    assert str(Problem("a", "y", None, "is", "do")) == "y is; do"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0.1, "0.1"),
        (8213, "8213"),
        (1e300, "1e+300"),
        (10**38, "1" + "0" * 38),
        (10**39, "a whole number of more than 38 digits"),
        ("a", '"a"'),
        ([1], "a list"),
        ({"a": 1}, "an object"),
        (object(), "a value"),
        ("x" * 78, '"' + "x" * 78 + '"'),
        ("x" * 79, '"' + "x" * 78 + "…"),
    ],
)
def test_a_value_is_shown_shortly(value: object, text: str) -> None:
    assert shown(value) == text
    assert len(text) <= LONGEST_SHOWN


def test_a_flood_of_problems_is_told_in_time() -> None:
    """In time that grows as the body does, and 200 of them at most: a small body must not buy a huge answer."""
    start = perf_counter()
    with pytest.raises(Rejected, match=r"^rejected: 1 too_many_problems, 200 unknown_key$") as caught:
        parse(loads(json.dumps({str(key): 0 for key in range(26000)}).encode()))
    assert perf_counter() - start < 10.0
    assert str(caught.value.problems[-1]) == "record has 25801 more problems; mend these first"
