"""What stands behind a request on a connection spoils no answer before it, and nobody can make the log cry out."""

from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

import httpx
import pytest

from tests.proof.socket_answers import Said, asked

LIVE = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
RESET = b"\1\0\0\0\0\0\0\0"  # of SO_LINGER: closed at once, and what was not read is thrown away
GARBAGE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "words": b"this is no HTTP\r\n\r\n",
    "NULs": b"\0" * 40,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version": b"GET /livez HTTP/9.9\r\n\r\n",
    "length": b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    "header": b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx\0: 1\r\n\r\n",
    "long head": b"GET /livez HTTP/1.1\r\n" + b"x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 1500,
    "cut head": b"GET /livez HTTP/1.1\r\nho",
    "cut body": HEAD + b"content-length: 9\r\n\r\n{",
    "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
}


def post(body: bytes, path: str = "/v1/predict", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def log_of(server: Any, client: httpx.Client) -> list[dict[str, Any]]:
    """All that was logged until now."""
    text = server.written_until(client.get("/v1/schema").headers["x-request-id"])
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def codes(said: list[Said]) -> list[object]:
    """The status of each, or the code of its problem."""
    return [
        json.loads(each.body)["type"].rpartition(":")[2] if each.status >= 400 else each.status for each in said
    ]


@pytest.mark.parametrize("behind", GARBAGE, ids=GARBAGE.keys())
@pytest.mark.parametrize("before", ["predict", "batch"])
def test_a_request_is_answered_before_what_stands_behind_it(
    server: Any, record: dict[str, Any], before: str, behind: str
) -> None:
    batch = json.dumps({"records": [record] * 40}).encode()
    sent = post(json.dumps(record).encode()) if before == "predict" else post(batch, "/v1/predict/batch")
    first, second, *more = asked(server.url, LIVE + sent + GARBAGE[behind])[1:]
    assert first.status == 200, first
    assert b'"progression_rate"' in first.body
    expected = {"long head": "head_too_large", "cut head": "incomplete", "cut body": "incomplete"}
    assert codes([second]) == [expected.get(behind, "not_http")]
    assert more == []


def test_each_of_many_gets_its_own_answer_and_then_the_rest_is_refused(server: Any, record: dict[str, Any]) -> None:
    one, wrong = post(json.dumps(record).encode()), post(b"{}")
    said = asked(server.url, one + wrong + LIVE + one + b"rubbish\r\n\r\n")
    assert codes(said) == [200, "rejected", 200, 200, "not_http"]


def test_behind_a_request_that_is_the_last_nothing_is_answered(server: Any) -> None:
    last = LIVE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert codes(asked(server.url, last + b"rubbish\r\n\r\n")) == [200]


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\n123456789\r\n"])
def test_a_broken_body_is_refused_once_and_logged_as_it_was_answered(
    server: Any, client: httpx.Client, admin: httpx.Client, body: bytes
) -> None:
    request_id = f"broken-{random.randrange(1 << 40):x}-1"
    told = f"x-request-id: {request_id}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    [said] = asked(server.url, HEAD + told + body)
    assert (said.status, codes([said])) == (400, ["not_http"])
    assert json.loads(said.body)["instance"] == f"urn:tregcast:request:{request_id}"
    [line] = [line for line in log_of(server, client) if line.get("request_id") == request_id]
    assert (line["status"], line["route"], line["method"]) == (400, "/v1/predict", "POST")


def test_what_is_refused_before_it_is_a_request_is_counted(
    server: Any, client: httpx.Client, admin: httpx.Client
) -> None:
    def count(status: int) -> float:
        wanted = f'tregcast_requests_total{{method="other",route="none",status="{status}"}} '
        found = [line for line in admin.get("/metrics").text.splitlines() if line.startswith(wanted)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    before = count(400), count(431)
    asked(server.url, GARBAGE["words"])
    asked(server.url, GARBAGE["long head"])
    assert (count(400), count(431)) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("sent", [0, 1])
def test_a_body_that_is_announced_and_does_not_come_is_told_so(server: Any, sent: int) -> None:
    [said] = asked(server.url, post(b"{}")[: -2 + sent])
    assert codes([said]) == ["incomplete"]


@pytest.mark.slow
def test_a_second_head_that_trickles_in_is_refused_after_the_first_answer(server: Any) -> None:
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), 20) as connection:
        connection.sendall(LIVE + LIVE[:20])
        whole = b""
        while chunk := connection.recv(65536):
            whole += chunk
    assert whole.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in whole


def test_a_caller_that_leaves_is_logged_as_one_that_got_nothing(
    server: Any, client: httpx.Client, record: dict[str, Any]
) -> None:
    request_id = f"gone-{random.randrange(1 << 40):x}-1"
    body = json.dumps({"records": [record] * 1000}).encode()
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), 20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(post(body, "/v1/predict/batch", f"x-request-id: {request_id}\r\n"))
        time.sleep(0.05)
    until = time.monotonic() + 20
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < until:
        found = [line for line in log_of(server, client) if line.get("request_id") == request_id]
    assert [line["status"] for line in found] == [499]


@pytest.mark.slow
def test_no_stranger_can_make_the_log_cry_out(server: Any, client: httpx.Client, record: dict[str, Any]) -> None:
    """Requests, rubbish, upgrades, and ends at any moment: nothing is logged above a warning."""
    rng = random.Random(2)
    upgrade = "connection: upgrade\r\nupgrade: {}\r\n"
    good = post(json.dumps(record).encode())
    pieces = [
        *(good, LIVE, post(b"{}"), post(b"["), *GARBAGE.values()),
        *(post(b"{}", more=upgrade.format(name)) for name in ("websocket", "h2c")),
        *(LIVE[:-2] + upgrade.format(name).encode() + b"\r\n" for name in ("websocket", "h2c", "\xff")),
        *(
            post(b"{}", more="expect: 100-continue\r\n"),
            b"CONNECT localhost:1 HTTP/1.1\r\nhost: localhost:1\r\n\r\n",
        ),
        *(
            b"HEAD /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
            b"GET http://localhost HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
    ]
    url = httpx.URL(server.url)
    for _ in range(300):
        sent = b"".join(rng.choices(pieces, k=rng.randint(1, 4)))
        sent = sent[: rng.randint(1, len(sent))] if rng.random() < 0.5 else sent
        with socket.create_connection((url.host, url.port), 20) as connection:
            if rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            try:
                connection.sendall(sent)
                if rng.random() < 0.3:
                    connection.shutdown(socket.SHUT_WR)
                connection.settimeout(rng.choice((0.001, 0.05)))
                connection.recv(100)
            except OSError:
                pass
    time.sleep(3)
    loud = [line for line in log_of(server, client) if line["level"] not in ("info", "warning")]
    assert loud == []
    assert client.get("/readyz").status_code == 200
