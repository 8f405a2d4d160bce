"""``/v1/whatif``: curves of answers, as the model gives them, and every problem of what was asked at once."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from service.varied import MOST_QUANTITIES, MOST_VALUES
from service.whatif import LABEL


def asked(client: httpx.Client, record: object, vary: object) -> httpx.Response:
    return client.post("/v1/whatif", json={"record": record, "vary": vary})


def test_each_point_is_the_answer_to_that_very_record(client: httpx.Client, record: dict[str, Any]) -> None:
    values = [20.0, 60.0, 150.0]
    response = asked(client, record, {"nfl": {"values": values, "unit": "pg/mL"}})
    assert response.status_code == 200
    found = response.json()
    assert found["label"] == LABEL
    assert found["as_it_is"] == client.post("/v1/predict", json=record).json()
    [curve] = found["curves"]
    assert (curve["quantity"], curve["unit"], curve["known_to_the_model"]) == ("nfl", "pg/mL", True)
    assert curve["direction"] == "never slower as it rises"
    for value, point in zip(values, curve["points"], strict=True):
        other = copy.deepcopy(record)
        other["visits"][-1]["measurements"]["nfl"] = {"value": value, "unit": "pg/mL"}
        answer = client.post("/v1/predict", json=other).json()
        assert point.pop("value") == value
        assert point == {key: answer[key] for key in point}
        assert point["outcome"] == answer["outcome"]


def test_a_range_is_even_and_in_the_canonical_unit(client: httpx.Client, record: dict[str, Any]) -> None:
    vary = {"crp": {"from": 0.1, "to": 0.5, "steps": 5, "unit": "mg/dL"}}
    [curve] = asked(client, record, vary).json()["curves"]
    assert [point["value"] for point in curve["points"]] == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0])
    assert curve["unit"] == "mg/L"


def test_a_quantity_that_the_model_does_not_know_says_so(client: httpx.Client, record: dict[str, Any]) -> None:
    [curve] = asked(client, record, {"albumin": {"values": [40], "unit": "g/L"}}).json()["curves"]
    assert curve["known_to_the_model"] is False
    assert (
        curve["points"][0]["progression_rate"]
        == asked(client, record, {"albumin": {"values": [45], "unit": "g/L"}}).json()["curves"][0]["points"][0][
            "progression_rate"
        ]
    )


def test_without_a_score_there_is_no_number_anywhere(client: httpx.Client) -> None:
    record = {"visits": [{"months_since_onset": {"value": 12, "unit": "mo"}, "measurements": {}}]}
    response = asked(client, record, {"nfl": {"values": [50], "unit": "pg/mL"}})
    [point] = response.json()["curves"][0]["points"]
    assert point["outcome"] == "abstained"
    assert "progression_rate" not in response.text


@pytest.mark.parametrize(
    ("vary", "code", "field"),
    [
        ([], "wrong_type", "vary"),
        ({}, "wrong_type", "vary"),
        ({f"q{at}": {} for at in range(MOST_QUANTITIES + 1)}, "wrong_type", "vary"),
        ({"nflx": {"values": [1], "unit": "pg/mL"}}, "unknown_key", "vary.nflx"),
        ({"age": {"values": [60], "unit": "a"}}, "unknown_key", "vary.age"),
        ({"nfl": {"values": [1]}}, "missing_unit", "vary.nfl.unit"),
        ({"nfl": {"values": [1, 2, 3]}}, "missing_unit", "vary.nfl.unit"),
        ({"nfl": {"values": [1, 2], "unit": "mg"}}, "unknown_unit", "vary.nfl.unit"),
        ({"nfl": {"values": ["high", 2], "unit": "pg/mL"}}, "wrong_type", "vary.nfl.values[0].value"),
        ({"nfl": {"values": [2, 1e9], "unit": "pg/mL"}}, "out_of_range", "vary.nfl.values[1]"),
        ({"nfl": {"values": [], "unit": "pg/mL"}}, "wrong_type", "vary.nfl.values"),
        ({"nfl": {"values": 7, "unit": "pg/mL"}}, "wrong_type", "vary.nfl.values"),
        ({"nfl": {"values": [1.0] * (MOST_VALUES + 1), "unit": "pg/mL"}}, "too_many", "vary.nfl.values"),
        ({"nfl": {"values": [1], "from": 1, "unit": "pg/mL"}}, "wrong_type", "vary.nfl"),
        ({"nfl": {"unit": "pg/mL"}}, "wrong_type", "vary.nfl"),
        ({"nfl": {"from": 9, "to": 1, "steps": 3, "unit": "pg/mL"}}, "out_of_range", "vary.nfl.to"),
        ({"nfl": {"from": 9, "to": 9, "steps": 3, "unit": "pg/mL"}}, "out_of_range", "vary.nfl.to"),
        ({"nfl": {"from": 1, "to": 9, "steps": 1, "unit": "pg/mL"}}, "out_of_range", "vary.nfl.steps"),
        ({"nfl": {"from": 1, "to": 9, "steps": 61, "unit": "pg/mL"}}, "too_many", "vary.nfl.steps"),
        ({"nfl": {"from": 1, "to": 9, "steps": 3.0, "unit": "pg/mL"}}, "wrong_type", "vary.nfl.steps"),
        ({"nfl": {"from": 1, "to": 9, "unit": "pg/mL"}}, "missing_key", "vary.nfl.steps"),
        ({"nfl": {"from": True, "to": 9, "steps": 3, "unit": "pg/mL"}}, "wrong_type", "vary.nfl.from"),
        ({"nfl": {"from": 1, "to": 10**400, "steps": 3, "unit": "pg/mL"}}, "not_finite", "vary.nfl.to"),
        ({"nfl": {"from": 1, "to": 1e9, "steps": 50, "unit": "pg/mL"}}, "out_of_range", "vary.nfl.to"),
        (
            {"alsfrs_r_total": {"from": 10, "to": 20, "steps": 6 + 1, "unit": "{score}"}},
            "not_whole",
            "vary.alsfrs_r_total.steps",
        ),
        ({"nfl": {"values": [1], "unit": "pg/mL", "colour": 1}}, "unknown_key", "vary.nfl.colour"),
    ],
)
def test_what_cannot_be_varied(
    client: httpx.Client, record: dict[str, Any], vary: object, code: str, field: str
) -> None:
    response = asked(client, record, vary)
    assert response.status_code == 422
    found = [(each["code"], each["field"]) for each in response.json()["problems"]]
    assert found == [(code, field)]  # one mistake is one problem


def test_too_many_steps_say_how_many_there_may_be(client: httpx.Client, record: dict[str, Any]) -> None:
    vary = {"nfl": {"from": 1, "to": 9, "steps": 61, "unit": "pg/mL"}}
    [problem] = asked(client, record, vary).json()["problems"]
    assert problem["message"] == "vary.nfl.steps = 61 is more than 60, the most; send 2 to 60"
    vary["nfl"]["steps"] = 60
    [curve] = asked(client, record, vary).json()["curves"]
    assert len(curve["points"]) == 60


def test_how_it_was_measured_is_asked_for_once(client: httpx.Client, record: dict[str, Any]) -> None:
    vary = {"treg_suppression": {"values": [40, 50, 60], "unit": "%"}}
    problems = asked(client, record, vary).json()["problems"]
    fields = [each["field"] for each in problems]
    assert "vary.treg_suppression.treg_responder_ratio" in fields
    assert len(fields) == len(set(fields))
    assert {each["code"] for each in problems} == {"missing_key"}


def test_all_problems_come_at_once(client: httpx.Client) -> None:
    record = {"sex": "f", "visits": [{"measurements": {}}]}
    response = asked(client, record, {"nfl": {"values": [1]}})
    codes = {each["code"] for each in response.json()["problems"]}
    assert {"unknown_value", "visit_time", "missing_unit"} <= codes


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"record": {}}', b'{"vary": {}, "more": 1}'])
def test_a_body_of_another_shape(client: httpx.Client, body: bytes) -> None:
    response = client.post("/v1/whatif", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422


def test_a_treg_value_of_a_what_if_says_how_it_was_measured(client: httpx.Client, record: dict[str, Any]) -> None:
    share = {"values": [3.0, 6.0], "unit": "%"}
    response = asked(client, record, {"treg_pct_cd4": share})
    assert response.status_code == 422
    fields = {problem["field"]: problem["code"] for problem in response.json()["problems"]}
    assert fields == {f"vary.treg_pct_cd4.{key}": "missing_key" for key in ("treg_denominator", "treg_gate")}
    response = asked(client, record, {"treg_count": {"values": [20, 90], "unit": "/ul", "treg_gate": "foxp3"}})
    [curve] = response.json()["curves"]
    for point in curve["points"]:
        assert "not_comparable" in {caution["code"] for caution in point["cautions"]}
    assert len({point["progression_rate"] for point in curve["points"]}) == 1


def test_the_schema_of_a_what_if_names_them(client: httpx.Client) -> None:
    document = client.get("/openapi.json").text
    for name in ("treg_gate", "treg_denominator", "treg_responder_ratio"):
        assert f'"{name}"' in document
