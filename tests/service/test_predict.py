"""POST /v1/predict answers exactly what the pack answers in-process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from features.consistency import ITEMS_ALSFRS_R
from features.parse import parse_record
from model.answer import render
from model.pack import Pack


def in_process(pack: Pack, record: dict[str, Any]) -> dict[str, object]:
    return render(pack.predictor.predict(parse_record(record, today=datetime.now(UTC).date())))


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def holds(found: object, expected: object) -> bool:
    """Whether all of ``expected``, which has no wording, is in ``found``."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(holds(found[key], item) for key, item in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and all(holds(f, e) for f, e in zip(found, expected, strict=True))
    return found == expected


def test_a_record_is_answered_as_in_process(client: httpx.Client, pack: Pack, record: dict[str, Any]) -> None:
    response = client.post("/v1/predict", json={**record, "reference": "Ward 7 / é"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    expected = in_process(pack, {**record, "reference": "Ward 7 / é"})
    assert response.json() == expected
    assert [number.hex() for number in map(float, numbers(response.json()))] == [
        number.hex() for number in map(float, numbers(expected))
    ]
    assert response.json()["pack"]["id"] == pack.id
    assert response.json()["outcome"].startswith("prediction")


def test_every_golden_record_is_answered_as_when_the_pack_was_made(client: httpx.Client, pack: Pack) -> None:
    for golden in pack.golden:
        assert holds(client.post("/v1/predict", json=golden.record).json(), golden.answer)


def test_contributions_add_up(client: httpx.Client, record: dict[str, Any]) -> None:
    answer = client.post("/v1/predict", json=record).json()
    total = answer["base_value"] + sum(item["points_per_month"] for item in answer["contributions"])
    assert total == pytest.approx(answer["progression_rate"], abs=1e-9)


def test_an_abstention_holds_no_number(client: httpx.Client, record: dict[str, Any]) -> None:
    for visit in record["visits"]:
        visit["measurements"].pop("alsfrs_r_total", None)
    response = client.post("/v1/predict", json=record)
    assert response.status_code == 200
    assert response.json()["outcome"] == "abstained"
    assert "no_functional_score" in [reason["code"] for reason in response.json()["reasons"]]
    assert list(numbers(response.json())) == []


def dated(record: dict[str, Any], onset: str, birth: str) -> dict[str, Any]:
    """The record with its last visit alone, on 1 September 2025."""
    visit = {**record["visits"][-1], "date": "2025-09-01"}
    del visit["months_since_onset"]
    kept = {key: value for key, value in record.items() if key not in ("age", "diagnostic_delay")}
    return {**kept, "onset_date": onset, "birth_date": birth, "visits": [visit]}


def test_what_is_known_to_the_month_is_answered_with_its_margin(
    client: httpx.Client, record: dict[str, Any]
) -> None:
    """Half of June and half of the days between 2 and 30 April: 14.5 days each."""
    exact, roughly = (
        client.post("/v1/predict", json=dated(record, *days)).json()
        for days in (("2024-06-15", "1961-04-15"), ("2024-06", "1961-04"))
    )
    codes = [{caution["code"]: caution["words"] for caution in each["cautions"]} for each in (exact, roughly)]
    assert not codes[0].keys() & {"approximate_onset", "approximate_age"}
    assert "months since onset may be 0.5 less or more" in codes[1]["approximate_onset"]
    assert "delta-FS" in codes[1]["approximate_onset"]
    assert "0.04 years less or more" in codes[1]["approximate_age"]
    assert "2024-06-1" not in json.dumps(roughly)
    assert roughly["progression_rate"] == pytest.approx(exact["progression_rate"], abs=0.02)


def test_an_abstention_names_the_item_that_is_missing(client: httpx.Client, record: dict[str, Any]) -> None:
    items = {name: {"value": 3, "unit": "{score}"} for name in ITEMS_ALSFRS_R if name != "alsfrs_turning"}
    del record["visits"][:-1]
    measured = record["visits"][-1]["measurements"]
    for name in [name for name in measured if name.startswith("alsfrs")]:
        del measured[name]
    measured.update(items)
    answer = client.post("/v1/predict", json=record).json()
    [reason] = [reason for reason in answer["reasons"] if reason["code"] == "no_functional_score"]
    assert reason["fields"] == ["alsfrs_r_total", "alsfrs_turning"]
    measured.update({"alsfrs_turning": {"value": 3, "unit": "{score}"}})
    measured["alsfrs_ventilation"] = {"value": 0, "unit": "{score}"}
    answer = client.post("/v1/predict", json=record).json()
    [reason] = [reason for reason in answer["reasons"] if reason["code"] == "invasive_ventilation"]
    assert reason["fields"] == ["alsfrs_ventilation"]
    assert list(numbers(answer)) == []


def test_the_ranges_of_training_are_told(client: httpx.Client, pack: Pack) -> None:
    told = [column["training_range"] for column in client.get("/v1/model").json()["columns"]]
    held = pack.predictor.applicability.range_of
    assert told == [[held[at].lowest, held[at].highest] if at in held else None for at in range(len(told))]
    assert sum(each is not None for each in told) >= 10


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json;"]
)
def test_content_types_that_are_json(client: httpx.Client, record: dict[str, Any], content_type: str) -> None:
    body = json.dumps(record).encode()
    assert client.post("/v1/predict", content=body, headers={"content-type": content_type}).status_code == 200


def test_dates_count_to_today_in_utc(client: httpx.Client, record: dict[str, Any]) -> None:
    del record["visits"][:-1]
    del record["visits"][0]["months_since_onset"]
    record["onset_date"] = "2024-01-31"
    today = datetime.now(UTC).date()
    record["visits"][0]["date"] = today.isoformat()
    assert client.post("/v1/predict", json=record).status_code == 200
    record["visits"][0]["date"] = (today + timedelta(days=2)).isoformat()
    response = client.post("/v1/predict", json=record)
    assert [(p["code"], p["field"]) for p in response.json()["problems"]] == [("future_visit", "visits[0].date")]


def test_the_same_record_has_the_same_bytes_at_once_and_again(client: httpx.Client, record: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as pool:
        bodies = set(pool.map(lambda _: client.post("/v1/predict", json=record).content, range(64)))
    assert len(bodies) == 1


def test_requests_on_one_connection_do_not_mix(client: httpx.Client, record: dict[str, Any]) -> None:
    for number in range(20):
        assert client.post("/v1/predict", json={"reference": number}).status_code == 422
        answer = client.post("/v1/predict", json={**record, "reference": str(number)}).json()
        assert answer["reference"] == str(number)
