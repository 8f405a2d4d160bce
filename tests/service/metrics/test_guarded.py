"""A server with keys and a trail: who is refused, who is named in the log, and what recording took."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx

from tests.service.metrics.scraped import Series, risen, scrape, value
from tests.service.test_desk import NOBODY, Guarded, guarded

__all__ = ["guarded"]  # the fixture


def line_of(response: httpx.Response, guarded: Guarded) -> dict[str, Any]:
    output, request_id = guarded.trail.parent / "output", response.headers["x-request-id"]
    until = time.monotonic() + 20
    while not (found := [line for line in output.read_text("utf-8").splitlines() if request_id in line]):
        assert time.monotonic() < until
        time.sleep(0.02)
    return dict(json.loads(found[-1]))


def after(response: httpx.Response, guarded: Guarded) -> Series:
    """A scrape, once the request is counted."""
    line_of(response, guarded)
    return scrape(guarded.admin)


def test_refused_callers_are_counted_by_status(guarded: Guarded, record: dict[str, Any]) -> None:
    before = scrape(guarded.admin)
    guarded.post("/v1/predict", record, NOBODY)
    last = guarded.post("/v1/predict/batch", {"records": [record]}, guarded.keyed["predict"])
    found = after(last, guarded)
    assert {
        status: risen(before, found, "tregcast_refused_callers_total", status=status)
        for status in ("401", "403", "429")
    } == {"401": 1, "403": 1, "429": 0}
    assert "caller" not in line_of(last, guarded)


def test_the_log_names_the_key_and_never_the_secret(guarded: Guarded, record: dict[str, Any]) -> None:
    response = guarded.post("/v1/predict", record, guarded.keyed["predict"])
    _, key_id, secret = guarded.keyed["predict"]["authorization"].removeprefix("Bearer ").split("_", 2)
    line = line_of(response, guarded)
    assert (line["caller"], line["outcome"]) == (key_id, response.json()["outcome"])
    written = (guarded.trail.parent / "output").read_text("utf-8")
    assert secret not in written
    assert "clinic predict" not in written
    assert key_id not in httpx.get(f"{guarded.admin}/metrics", trust_env=False).text


def test_recording_is_timed(guarded: Guarded, record: dict[str, Any]) -> None:
    before = scrape(guarded.admin)
    found = after(guarded.post("/v1/predict", record, guarded.keyed["predict"]), guarded)
    assert value(found, "tregcast_audit_enabled") == 1
    assert risen(before, found, "tregcast_audit_record_duration_seconds_count") == 1
    assert 0 < risen(before, found, "tregcast_audit_record_duration_seconds_sum") < 10
    assert value(found, "tregcast_audit_waiting_records") == 0


def test_what_cannot_be_recorded_is_counted_as_unavailable(
    guarded: Guarded, record: dict[str, Any], tmp_path: Path
) -> None:
    """The last test of this server: its store is taken away."""
    before = scrape(guarded.admin)
    for path in [path for path in guarded.trail.parent.iterdir() if path.name.startswith("audit.db")]:
        shutil.move(path, tmp_path / path.name)
    response = guarded.post("/v1/predict", record, guarded.keyed["predict"])
    assert response.status_code == 503
    found = after(response, guarded)
    assert line_of(response, guarded)["outcome"] == "unavailable"
    assert risen(before, found, "tregcast_answers_total", endpoint="predict", outcome="unavailable") == 1
    assert risen(before, found, "tregcast_audit_failures_total") == 1
    assert risen(before, found, "tregcast_predicted_rate_points_per_month_count") == 0
    assert (value(found, "tregcast_ready"), value(found, "tregcast_audit_problem")) == (0, 1)
