"""What is sent in masses: refused, answered, and nothing of it kept."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from typing import Any

import httpx
import pytest

from service.connection_end import SECONDS_TO_READ
from tests.servers import resident_kib
from tests.service.test_bounds import HEAD, connected, received

GIB = 1 << 30
MOST_GROWTH_KIB = 30 * 1024


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_gibibyte_is_refused_with_memory_flat(server: Any, client: httpx.Client, framing: str) -> None:
    before = resident_kib(server.process.pid)
    started = time.monotonic()
    piece = b"x" * (1 << 20)
    head, sent = HEAD + f"content-length: {GIB}\r\n\r\n".encode(), piece
    if framing == "chunked":
        head, sent = HEAD + b"transfer-encoding: chunked\r\n\r\n", b"100000\r\n" + piece + b"\r\n"
    with connected(server) as connection:
        connection.sendall(head)
        sender = threading.Thread(target=send_on, args=(connection, sent, GIB // len(piece)))
        sender.start()
        status, document = received(connection)
        sender.join(60)
        assert not sender.is_alive()
    assert status == 413
    assert document["type"] == "urn:tregcast:problem:too_large"
    assert client.get("/readyz").status_code == 200
    growth = resident_kib(server.process.pid) - before
    print(f"1 GiB, {framing}: over after {time.monotonic() - started:.1f} s, {growth:+} KiB")
    assert growth < MOST_GROWTH_KIB


def send_on(connection: socket.socket, piece: bytes, times: int) -> None:
    try:
        for _ in range(times):
            connection.sendall(piece)
    except OSError:  # closed at the other end, as it should be
        pass


def test_a_client_that_sends_all_before_it_reads_is_told_too(server: Any) -> None:
    body = b"x" * (2 << 20)
    with connected(server) as connection:
        connection.sendall(HEAD + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        status, document = received(connection)
    assert (status, document["type"]) == (413, "urn:tregcast:problem:too_large")


@pytest.mark.parametrize("path", [b"/v1/predict", b"/v1/nothing"])
def test_what_is_answered_before_its_end_may_not_go_on_for_ever(server: Any, path: bytes) -> None:
    head = HEAD.replace(b"/v1/predict", path).replace(b"application/json", b"text/csv")
    with connected(server) as connection:
        connection.sendall(head + b"content-length: 1000\r\n\r\n{")
        status, _ = received(connection)  # returns when the server has closed
    assert status in {404, 415}


def test_after_a_refusal_the_connection_serves_on(server: Any, record: dict[str, Any]) -> None:
    with httpx.Client(base_url=server.url, limits=httpx.Limits(max_connections=1)) as client:
        assert (
            client.post("/v1/predict", content=b"x" * 200_000, headers={"content-type": "text/csv"}).status_code
            == 415
        )
        time.sleep(SECONDS_TO_READ + 0.5)
        assert client.post("/v1/predict", json=record).status_code == 200


@pytest.mark.slow
def test_ten_thousand_unknown_paths_cost_no_memory(server: Any, client: httpx.Client) -> None:
    for _ in range(500):  # what a worker allocates once
        assert client.get(f"/{secrets.token_hex(8)}").status_code == 404
    before = resident_kib(server.process.pid)
    for _ in range(10_000):
        assert client.get(f"/{secrets.token_hex(8)}/{secrets.token_hex(40)}").status_code == 404
    growth = resident_kib(server.process.pid) - before
    print(f"10,000 unknown paths: {growth:+} KiB")
    assert growth < 4 * 1024
