"""Every answer that is not 2xx is a problem document, in one shape, on every path."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

JSON = {"content-type": "application/json"}
MEASURED = '{"visits": [{"months_since_onset": {"value": 20, "unit": "mo"}, "measurements": %s}]}'

# name, body, status, code of the document, (code, field) of each problem
BODIES = [
    ("empty", "", 400, "malformed_json", [("malformed_json", "body")]),
    ("not JSON", "{visits", 400, "malformed_json", [("malformed_json", "body")]),
    ("cut off", '{"visits": [', 400, "malformed_json", [("malformed_json", "body")]),
    ("two values", "{} {}", 400, "malformed_json", [("malformed_json", "body")]),
    ("not UTF-8", b'{"reference": "\xff"}', 400, "malformed_json", [("malformed_json", "body")]),
    ("deep", "[" * 100_000, 400, "malformed_json", [("malformed_json", "body")]),
    ("long number", MEASURED % '{"crp": {"value": 1%s, "unit": "mg/L"}}' % ("0" * 9000), 400, "malformed_json",
     [("malformed_json", "body")]),
    ("NaN", MEASURED % '{"crp": {"value": NaN, "unit": "mg/L"}}', 422, "rejected", [("not_finite", "body")]),
    ("infinity", MEASURED % '{"crp": {"value": 1e999, "unit": "mg/L"}}', 422, "rejected",
     [("not_finite", "visits[0].measurements.crp.value")]),
    ("duplicate keys", '{"visits": [], "visits": [], "sex": "female", "sex": "male"}', 422, "rejected",
     [("duplicate_key", "visits"), ("duplicate_key", "sex")]),
    ("a list", "[]", 422, "rejected", [("wrong_type", "record")]),
    ("null", "null", 422, "rejected", [("wrong_type", "record")]),
    ("no visits", "{}", 422, "rejected", [("missing_key", "visits")]),
    ("empty history", '{"visits": []}', 422, "rejected", [("empty_history", "visits")]),
    ("no unit", MEASURED % '{"crp": {"value": 8}}', 422, "rejected",
     [("missing_unit", "visits[0].measurements.crp.unit")]),
    ("text", MEASURED % '{"crp": {"value": "8", "unit": "mg/L"}}', 422, "rejected",
     [("wrong_type", "visits[0].measurements.crp.value")]),
    ("implausible", MEASURED % '{"crp": {"value": 8200, "unit": "mg/L"}}', 422, "rejected",
     [("out_of_range", "visits[0].measurements.crp")]),
    ("half a surrogate pair", '{"visits": [], "\\ud800": 1, "reference": "\\udfff"}', 422, "rejected",
     [("unknown_key", "?"), ("empty_history", "visits"), ("unprintable", "reference")]),
    ("several at once", '{"sex": 1, "tregs": 40, "visits": [{"measurements": {"crp": {"value": true}}}]}', 422,
     "rejected",
     [("unknown_key", "tregs"), ("wrong_type", "sex"), ("visit_time", "visits[0]"),
      ("wrong_type", "visits[0].measurements.crp.value"), ("missing_unit", "visits[0].measurements.crp.unit")]),
]  # fmt: skip


def check(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The document of a response, held to the one shape."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert list(document) == ["type", "title", "status", "detail", "instance", "problems"]
    assert document["type"] == f"urn:tregcast:problem:{code}"
    assert document["status"] == status
    assert document["instance"] == f"urn:tregcast:request:{response.headers['x-request-id']}"
    assert isinstance(document["title"], str)
    assert isinstance(document["detail"], str)
    for problem in document["problems"]:
        assert list(problem) == ["code", "field", "value", "rule", "remedy", "message"]
        shown = "" if problem["value"] is None else f" = {problem['value']}"
        assert problem["message"] == f"{problem['field']}{shown} {problem['rule']}; {problem['remedy']}"
    return document


@pytest.mark.parametrize(
    ("body", "status", "code", "problems"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES]
)
def test_bodies_that_are_not_answered(
    client: httpx.Client, body: str | bytes, status: int, code: str, problems: list[tuple[str, str]]
) -> None:
    document = check(client.post("/v1/predict", content=body, headers=JSON), status, code)
    assert [(problem["code"], problem["field"]) for problem in document["problems"]] == problems


def test_the_caller_sees_value_rule_and_remedy(client: httpx.Client) -> None:
    body = MEASURED % '{"crp": {"value": 8200, "unit": "mg/L"}}'
    document = check(client.post("/v1/predict", content=body, headers=JSON), 422, "rejected")
    assert document["problems"] == [
        {
            "code": "out_of_range",
            "field": "visits[0].measurements.crp",
            "value": "8200 mg/L",
            "rule": "is above 0-500 mg/L",
            "remedy": "sent in ug/L?",
            "message": "visits[0].measurements.crp = 8200 mg/L is above 0-500 mg/L; sent in ug/L?",
        }
    ]


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/predict/", "//", "/metrics", "/healthz", "/docs.json"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_not_found(client: httpx.Client, method: str, path: str) -> None:
    document = check(client.request(method, client.base_url.join(path).copy_with(path=path)), 404, "not_found")
    assert path not in json.dumps(document["detail"])


@pytest.mark.parametrize("path", ["/static_content/index.css", "/Tregcast", "/predict", "/openapi"])
def test_nothing_of_bentoml_answers(client: httpx.Client, path: str) -> None:
    check(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/predict", "POST"),
        ("HEAD", "/v1/predict", "POST"),
        ("PUT", "/v1/predict", "POST"),
        ("OPTIONS", "/v1/predict", "POST"),
        ("POST", "/v1/model", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("PATCH", "/openapi.json", "GET, HEAD"),
    ],
)
def test_method_not_allowed(client: httpx.Client, method: str, path: str, allow: str) -> None:
    response = client.request(method, path)
    assert response.headers["allow"] == allow
    if method == "HEAD":
        assert (response.status_code, response.content) == (405, b"")
    else:
        check(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json; profile=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-type": "application/json, text/html"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
    ids=str,
)
def test_other_content_types(client: httpx.Client, record: dict[str, Any], headers: dict[str, str]) -> None:
    response = client.post("/v1/predict", content=json.dumps(record).encode(), headers=headers)
    check(response, 415, "unsupported_media_type")
    assert response.headers["accept"] == "application/json"


def padded(record: dict[str, Any], size: int) -> bytes:
    body = json.dumps(record).encode()
    return body + b" " * (size - len(body))


def test_a_body_at_the_cap_is_read_and_one_byte_more_is_not(client: httpx.Client, record: dict[str, Any]) -> None:
    assert client.post("/v1/predict", content=padded(record, 256 * 1024), headers=JSON).status_code == 200
    check(client.post("/v1/predict", content=padded(record, 256 * 1024 + 1), headers=JSON), 413, "too_large")


def peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_large_body_takes_no_memory(client: httpx.Client, server: Any, announced: bool) -> None:
    size = 64 * 2**20

    def chunks() -> Iterator[bytes]:
        for _ in range(size // 2**16):
            yield b" " * 2**16

    check(client.post("/v1/predict", content=padded({}, 300_000), headers=JSON), 413, "too_large")
    before = peak_kib(server.process.pid)
    headers = {**JSON, "content-length": str(size)} if announced else JSON
    check(client.post("/v1/predict", content=chunks(), headers=headers), 413, "too_large")
    assert peak_kib(server.process.pid) - before < 4096


def test_a_length_is_refused_before_the_body_comes(client: httpx.Client) -> None:
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 262145\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), 5) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/v1/model", "/v1/vocabulary", "/v1/schema", "/openapi.json"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
    assert got.headers["content-length"] == head.headers["content-length"] == str(len(got.content))
    assert head.headers["cache-control"] == "no-store"
