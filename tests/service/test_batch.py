"""Many records in one request: each answered as alone, in order, whatever stands beside it."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest

from features.today import latest_date
from model.pack import Pack
from service.batch import MOST_RECORDS


def sent(client: httpx.Client, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/predict/batch", content=content, headers={"content-type": "application/json"})


def alone(client: httpx.Client, record: object) -> dict[str, Any]:
    found = client.post("/v1/predict", json=record).json()
    if "problems" in found:
        return {"outcome": "rejected", "problems": found["problems"]}
    return {key: value for key, value in found.items() if key not in ("pack", "statement")}


def test_each_is_answered_as_alone_and_in_order(client: httpx.Client, pack: Pack) -> None:
    records = [copy.deepcopy(dict(item.record)) | {"reference": f"R-{at}"} for at, item in enumerate(pack.golden)]
    records.insert(1, {"reference": "bad", "sex": "f", "visits": []})
    records.insert(3, "nothing like a record")
    response = sent(client, {"records": records})
    assert response.status_code == 200
    found = response.json()
    assert found["pack"]["id"] == pack.id
    assert len(found["answers"]) == len(records)
    for record, answer in zip(records, found["answers"], strict=True):
        expected = alone(client, record)
        assert {key: value for key, value in answer.items() if key != "reference"} == {
            key: value for key, value in expected.items() if key != "reference"
        }
        assert answer["reference"] == (record["reference"] if isinstance(record, dict) else None)
    assert sum(found["counts"].values()) == len(records)
    assert found["counts"]["rejected"] == 2


def test_a_key_that_stands_twice_spoils_its_own_record_alone(client: httpx.Client, record: dict[str, Any]) -> None:
    good = json.dumps(record)
    bad = good[:-1] + ', "sex": "male", "sex": "female"}'
    found = sent(client, f'{{"records": [{good}, {bad}, {good}]}}'.encode()).json()
    outcomes = [answer["outcome"] for answer in found["answers"]]
    assert outcomes[1] == "rejected"
    assert "rejected" not in (outcomes[0], outcomes[2])
    assert ("duplicate_key", "sex") in {(each["code"], each["field"]) for each in found["answers"][1]["problems"]}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_what_is_no_number_spoils_its_own_record_alone(
    client: httpx.Client, record: dict[str, Any], number: bytes
) -> None:
    bad = copy.deepcopy(record)
    bad["visits"][-1]["measurements"] = {"crp": {"value": "HERE", "unit": "mg/L"}}
    body = json.dumps({"records": [bad, record]}).encode().replace(b'"HERE"', number)
    first, second = sent(client, body).json()["answers"]
    assert first["outcome"] == "rejected"
    assert [each["code"] for each in first["problems"]] == ["not_finite"]
    assert second["outcome"] != "rejected"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"[]", "wrong_type", "body"),
        (b"{}", "missing_key", "records"),
        (b'{"records": {}}', "wrong_type", "records"),
        (b'{"records": []}', "empty_batch", "records"),
        (b'{"records": [{}], "record": 1}', "unknown_key", "record"),
        (b'{"records": [{}], "records": [{}]}', "duplicate_key", "records"),
        (json.dumps({"records": [{}] * (MOST_RECORDS + 1)}).encode(), "too_many", "records"),
    ],
)
def test_a_body_that_is_no_batch(client: httpx.Client, body: bytes, code: str, field: str) -> None:
    response = sent(client, body)
    assert response.status_code == 422
    assert (code, field) in {(each["code"], each["field"]) for each in response.json()["problems"]}


def test_malformed_json_is_400(client: httpx.Client) -> None:
    assert sent(client, b'{"records": [}').status_code == 400


def test_a_large_batch_lets_single_records_pass(client: httpx.Client, server: Any, record: dict[str, Any]) -> None:
    """A thousand records take a second or so; a single one asked meanwhile does not wait for all of them."""
    import threading
    import time

    done = threading.Event()

    def ask_for_many() -> None:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as other:
            response = sent(other, {"records": [record] * MOST_RECORDS})
            assert len(response.json()["answers"]) == MOST_RECORDS
        done.set()

    thread = threading.Thread(target=ask_for_many)
    thread.start()
    answered = 0
    until = time.monotonic() + 60
    while not done.is_set() and time.monotonic() < until:
        assert client.post("/v1/predict", json=record).status_code == 200
        answered += 1
    thread.join()
    assert done.is_set()
    assert answered >= 3


def test_the_date_of_visits_is_held_against_the_same_clock(client: httpx.Client) -> None:
    from datetime import UTC, datetime, timedelta

    later = (latest_date(datetime.now(UTC)) + timedelta(days=2)).isoformat()
    record = {"onset_date": "2024-01-01", "visits": [{"date": later, "measurements": {}}]}
    [answer] = sent(client, {"records": [record]}).json()["answers"]
    assert [each["code"] for each in answer["problems"]] == ["future_visit"]
