"""Every bad record of tests/golden/bad_records.json over HTTP: its exact problems back, and no value in any log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).parents[1].joinpath("golden/bad_records.json").read_text())
JSON = {"content-type": "application/json"}
FIELDS = {
    *("time", "level", "event", "method", "route", "status", "duration_ms", "request_id", "caller", "outcome"),
    "pack",
}


@pytest.fixture(scope="module")
def written(client: httpx.Client, server: Any) -> str:
    """All that the service writes while it is sent every bad record."""
    first = client.get("/v1/schema")
    before = len(server.written_until(first.headers["x-request-id"]))
    for bad in TABLE:
        last = client.post("/v1/predict", content=bad["body"].encode(), headers=JSON)
    text: str = server.written_until(last.headers["x-request-id"])
    return text[before:]


@pytest.mark.parametrize("bad", TABLE, ids=[bad["name"] for bad in TABLE])
def test_every_problem_is_told_to_the_caller(client: httpx.Client, bad: dict[str, Any]) -> None:
    reply = client.post("/v1/predict", content=bad["body"].encode(), headers=JSON)
    codes = {problem["code"] for problem in bad["problems"]}
    assert reply.status_code == (400 if codes == {"malformed_json"} else 422)
    assert reply.headers["content-type"] == "application/problem+json"
    document = reply.json()
    keys = ("code", "field", "value", "rule", "remedy")
    assert [{key: problem[key] for key in keys} for problem in document["problems"]] == bad["problems"]
    assert "progression_rate" not in reply.text


def test_no_value_is_in_the_log(written: str) -> None:
    assert "Canary" not in written
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) >= len(TABLE)
    for line in lines:
        assert set(line) <= FIELDS
    for line in requests:  # each field is of a closed form, so none can hold what was sent
        assert re.fullmatch(r"[0-9a-f]{16}", line["request_id"])
        assert (line.get("caller"), line.get("outcome")) in {("open", "rejected"), ("open", None), (None, None)}
        assert (line["method"], line["level"]) in {("POST", "info"), ("POST", "warning"), ("GET", "info")}
        assert line["route"] is None or re.fullmatch(r"/(v1/)?[a-z.]*", line["route"])
        assert isinstance(line["status"], int)
        assert isinstance(line["duration_ms"], float)
    assert all(line.startswith("{") for line in written.splitlines())
