"""The ids that a caller gives its request are echoed and logged where they are ids, else left aside."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OWN = re.compile("[0-9a-f]{16}")


def line_of(server: Any, request_id: str) -> dict[str, Any]:
    lines = server.written_until(f'"request_id":"{request_id}"').splitlines()
    found: dict[str, Any] = next(json.loads(line) for line in lines if f'"request_id":"{request_id}"' in line)
    return found


@pytest.mark.parametrize(
    "sent",
    [
        "0b5c2b6e-8d8e-4c4e-9a55-0d9c6f0a1b2c",
        "01J9ZQ4T7M8XG2V5N3K6P1R0SD",
        "d72849feaa788e90d72849feaa788e90",
        "1234567890123456",
        "ward-7:2026.11.30_1",
        "a" * 127 + "1",
    ],
)
@pytest.mark.parametrize("body", [b"{}", None])
def test_an_id_is_echoed_and_logged(
    server: Any, client: httpx.Client, record: dict[str, Any], sent: str, body: bytes | None
) -> None:
    content = json.dumps(record).encode() if body is None else body
    own = f"{sent[:-1]}{'2' if body is None else '3'}"
    headers = {"x-request-id": own, "content-type": "application/json"}
    response = client.post("/v1/predict", content=content, headers=headers)
    assert response.headers.get_list("x-request-id") == [own]
    assert line_of(server, own)["status"] == response.status_code
    if body is not None:
        assert response.json()["instance"] == f"urn:tregcast:request:{own}"


@pytest.mark.parametrize(
    "sent", ["", "Jane", "Jane Doe", "12345678", "a" * 128 + "1", "-a1", "a/1", "a1;b", "é1", "a1\tb", '{"a":1}']
)
def test_what_is_no_id_is_left_aside_without_an_error(server: Any, client: httpx.Client, sent: str) -> None:
    response = client.get("/v1/schema", headers=[(b"x-request-id", sent.encode())])
    assert response.status_code == 200
    [own] = response.headers.get_list("x-request-id")
    assert OWN.fullmatch(own)
    assert line_of(server, own)["route"] == "/v1/schema"


def test_two_ids_are_none(client: httpx.Client) -> None:
    response = client.get("/livez", headers=[(b"x-request-id", b"id-00001"), (b"x-request-id", b"id-00002")])
    assert OWN.fullmatch(response.headers["x-request-id"])


@pytest.mark.parametrize("sent", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01-more"])
def test_a_trace_is_echoed_and_logged(server: Any, client: httpx.Client, sent: str) -> None:
    response = client.get("/v1/schema", headers={"traceparent": sent})
    assert response.headers.get_list("traceparent") == [sent]
    assert line_of(server, response.headers["x-request-id"])["trace_id"] == TRACE


@pytest.mark.parametrize(
    "sent",
    [
        *("", "x", f"00-{TRACE}-{SPAN}", f"00-{TRACE.upper()}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01"),
        *(
            f"00-{'0' * 32}-{SPAN}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE}-{SPAN}-01-more",
            f"00-{TRACE}-{SPAN}-1",
        ),
        *(f"01-{TRACE}-{SPAN}-01more", f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01"),
    ],
)
def test_what_is_no_trace_is_left_aside(server: Any, client: httpx.Client, sent: str) -> None:
    response = client.get("/v1/schema", headers={"traceparent": sent})
    assert response.status_code == 200
    assert "traceparent" not in response.headers
    assert "trace_id" not in line_of(server, response.headers["x-request-id"])
