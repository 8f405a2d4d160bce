"""What the service writes: lines of JSON of known fields, and nothing that a caller sent."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import re
import socket
import sys
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model.pack import Pack
from service import log
from service.boundary import Boundary

TEXT, NUMBER, MEASURED = "CANARYTEXT", 987654.321, 43.210987
JSON = {"content-type": "application/json"}
ALLOWED = {*("time", "level", "event"), *log.FIELDS}


def send_canaries(client: httpx.Client, record: dict[str, Any]) -> list[int]:
    """Marked values in every part of a request; the statuses of the answers."""
    marked = {**record, "reference": TEXT}
    for visit in marked["visits"]:
        visit["measurements"]["crp"] = {"value": MEASURED, "unit": "mg/L"}
    wrong = json.loads(json.dumps(marked))
    wrong["visits"][0]["measurements"]["crp"] = {"value": NUMBER, "unit": TEXT}
    wrong["visits"][0]["measurements"][TEXT] = {"value": NUMBER, "unit": "mg/L"}
    responses = [
        client.post("/v1/predict", json=marked, headers={"x-request-id": TEXT, "user-agent": TEXT}),
        client.post(f"/v1/predict?{TEXT}={NUMBER}&explain={TEXT}", json=marked),
        client.post("/v1/predict", json={**marked, "visits": [{**marked["visits"][-1], "measurements": {}}]}),
        client.post("/v1/predict", json=wrong),
        client.post("/v1/predict/batch", json={"records": [marked, wrong, TEXT, {TEXT: NUMBER}]}),
        client.post("/v1/predict/batch", content=f'{{"records": {{"{TEXT}": {NUMBER}}}}}', headers=JSON),
        client.post("/v1/whatif", json={"record": wrong, "vary": {TEXT: {"values": [NUMBER], "unit": TEXT}}}),
        client.post(
            "/v1/whatif", json={"record": marked, "vary": {"nfl": {"values": [MEASURED], "unit": "pg/mL"}}}
        ),
        client.post("/v1/predict", json={TEXT: NUMBER, "sex": TEXT}),
        client.post("/v1/predict", content=f'{{"{TEXT}": {NUMBER}, "{TEXT}": {NUMBER}}}', headers=JSON),
        client.post("/v1/predict", content=f'{{"{TEXT}": {NUMBER}', headers=JSON),
        client.post("/v1/predict", content=f'{{"crp": {NUMBER}, "x": NaN}}', headers=JSON),
        client.post("/v1/predict", content=TEXT.encode() + b"\xff", headers=JSON),
        client.post("/v1/predict", content=TEXT * 40_000, headers=JSON),
        client.post("/v1/predict", content=TEXT, headers={"content-type": f"text/{TEXT}"}),
        client.get(f"/{TEXT}/{NUMBER}?{TEXT}={NUMBER}"),
        client.get(f"/v1/model/{NUMBER}"),
        client.put(f"/v1/predict?{TEXT}", json=marked),
        client.get(f"/?{TEXT}", headers={"host": TEXT, "cookie": TEXT}),
    ]
    for raw in (
        f"{TEXT} /{NUMBER} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"POST /v1/predict HTTP/1.1\r\nHost: {TEXT}\r\nContent-Length: {TEXT}\r\n\r\n{NUMBER}",
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 900\r\n\r\n" + TEXT,
        f"\x16\x03\x01{TEXT}{NUMBER}\r\n\r\n",
    ):
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), 5) as connection:
            connection.sendall(raw.encode())
            connection.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                connection.recv(4096)
    return [response.status_code for response in responses]


def test_nothing_that_was_sent_is_written(client: httpx.Client, server: Any, record: dict[str, Any]) -> None:
    statuses = send_canaries(client, record)
    expected = [200, 400, 200, 422, 200, 422, 422, 200, 422, 422, 400, 422, 400, 413, 415, 404, 404, 405, 400]
    assert statuses == expected
    written = server.written_until(client.get("/v1/schema").headers["x-request-id"])
    assert written.count('"event":"request"') >= len(statuses)
    told = re.sub(r'"(time|duration_ms)":("[^"]*"|[0-9.]+)', "", written)  # the clock may say 43.21, too
    for canary in (TEXT, str(NUMBER), str(MEASURED), "987654", "43.21"):
        assert canary not in told


def test_each_line_is_json_of_known_fields(client: httpx.Client, server: Any, pack: Pack) -> None:
    client.get("/livez")
    response = client.post("/v1/predict", json={})
    written = server.written_until(response.headers["x-request-id"])
    lines = [json.loads(line) for line in written.splitlines() if not line.startswith("Tregcast")]
    assert all(set(line) <= ALLOWED for line in lines)
    assert (lines[1]["event"], lines[1]["pack"]) == ("started", pack.id)
    line = next(line for line in lines if line.get("request_id") == response.headers["x-request-id"])
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/predict", 422)
    assert 0 < line["duration_ms"] < 1000
    assert "/livez" not in {line.get("route") for line in lines}
    assert {line["event"] for line in lines} <= {
        *("audit_off", "started", "request", "library uvicorn.error"),
        "answer not read",  # of a client of another test
    }


@pytest.fixture
def lines() -> Any:
    """A stream that has what the service's logger writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.JsonLine())
    logger = logging.getLogger("service")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)
    logger.propagate = True


async def fail(_: Request) -> Response:
    raise ValueError(f"{TEXT} {NUMBER}")


async def fail_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError(f"{TEXT} {NUMBER}")


def ask(app: Any, path: str) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(get())


def test_a_fault_of_ours_says_nothing_of_the_input(lines: io.StringIO) -> None:
    app = Starlette(routes=[Route("/fail/{name}", fail)], middleware=[Middleware(Boundary)])
    response = ask(app, f"/fail/{TEXT}?{NUMBER}")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == "urn:tregcast:problem:internal_error"
    assert document["problems"] == []
    assert document["instance"] == f"urn:tregcast:request:{response.headers['x-request-id']}"
    fault, request = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (fault["event"], fault["level"], fault["exception"]) == ("fault", "error", "ValueError")
    assert fault["where"].startswith("test_log.py:")
    assert fault["where"].endswith(" in fail")
    assert (request["route"], request["status"]) == ("/fail/{name}", 500)
    assert fault["request_id"] == request["request_id"] == response.headers["x-request-id"]
    for said in (TEXT, str(NUMBER)):
        assert said not in lines.getvalue() + response.text


def test_a_fault_in_the_midst_of_an_answer_cuts_it_off(lines: io.StringIO) -> None:
    with pytest.raises(RuntimeError, match="cut off") as caught:
        ask(Boundary(fail_late), "/")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert TEXT not in lines.getvalue()


def test_a_library_keeps_its_place_and_loses_its_words() -> None:
    try:
        raise ValueError(TEXT)
    except ValueError:
        record = logging.getLogger("asyncio").makeRecord(
            "asyncio", logging.ERROR, __file__, 7, f"never retrieved {TEXT}", (), sys.exc_info(), "run"
        )
    line = json.loads(log.JsonLine().format(record))
    assert TEXT not in str(line)
    assert (line["event"], line["where"], line["exception"]) == (
        "library asyncio",
        "test_log.py:7 in run",
        "ValueError",
    )


def test_a_field_that_is_not_on_the_list_is_left_out(lines: io.StringIO) -> None:
    log.write(logging.INFO, "request", status=200, path=TEXT)
    assert TEXT not in lines.getvalue()
    assert json.loads(lines.getvalue())["status"] == 200
