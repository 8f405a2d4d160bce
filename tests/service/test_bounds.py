"""Clients that are slow, idle, endless or ambiguous: answered or closed in time, and others served meanwhile."""

from __future__ import annotations

import json
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from service.connection_end import SECONDS_TO_TAKE
from service.protocol import MOST_HEAD_BYTES, SECONDS_TO_SEND
from tests.servers import resident_kib

IDLE = 1000  # connections
TIMES = 6  # answers of 2.5 MB: more than the buffers of the network hold
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@contextmanager
def connected(server: Any) -> Iterator[socket.socket]:
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        yield connection


def received(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and document of all that comes until the server closes."""
    whole = b""
    while chunk := connection.recv(65536):
        whole += chunk
    head, _, body = whole.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    return int(head.split()[1]), json.loads(body)


def allow_open_files(process: int, least: int) -> None:
    """Raise the limit of a process where it is lower; 0 is this one."""
    soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    if soft < least:
        assert least <= hard
        resource.prlimit(process, resource.RLIMIT_NOFILE, (least, hard))


@pytest.mark.slow
def test_a_body_that_trickles_in_is_refused_and_others_are_served(server: Any, client: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD + b"content-length: 1000\r\n\r\n{")
        started = time.monotonic()
        assert client.get("/readyz").status_code == 200
        assert time.monotonic() - started < 2
        status, document = received(connection)
    assert status == 408
    assert document["problems"][0]["message"].startswith(f"body did not arrive within {SECONDS_TO_SEND:g} s")
    assert SECONDS_TO_SEND - 0.5 < time.monotonic() - started < SECONDS_TO_SEND + 5


@pytest.mark.slow
def test_a_head_that_trickles_in_is_refused_in_time(server: Any) -> None:
    with connected(server) as connection:
        started = time.monotonic()
        connection.sendall(HEAD)
        for _ in range(4):
            time.sleep(1)
            connection.sendall(b"x-more: 1\r\n")
        status, document = received(connection)
    assert status == 408
    assert document["type"] == "urn:tregcast:problem:too_slow"
    assert time.monotonic() - started < SECONDS_TO_SEND + 5


@pytest.mark.slow
def test_a_thousand_idle_connections_are_closed_and_cost_little(server: Any, client: httpx.Client) -> None:
    for process in (0, server.process.pid):
        allow_open_files(process, IDLE + 200)
    before = resident_kib(server.process.pid)
    url = httpx.URL(server.url)
    idle = [socket.create_connection((url.host, url.port), timeout=20) for _ in range(IDLE)]
    try:
        started = time.monotonic()
        assert client.get("/readyz").status_code == 200
        assert time.monotonic() - started < 2
        assert all(connection.recv(1) == b"" for connection in idle)
        assert time.monotonic() - started < SECONDS_TO_SEND + 10
        growth = resident_kib(server.process.pid) - before
        print(f"{IDLE} idle connections: closed after {time.monotonic() - started:.1f} s, {growth:+} KiB")
        assert growth < 30 * 1024
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize(("pieces", "times"), [(1, 1), (40, 1), (40, 30)])  # with its end or without
def test_an_endless_head_is_refused_and_its_sender_told_why(server: Any, pieces: int, times: int) -> None:
    filler = b"x-filler: " + b"a" * 1000 + b"\r\n"
    head = HEAD + filler * (times * MOST_HEAD_BYTES // 1000 + 2) + b"content-length: 0\r\n\r\n"
    step = len(head) // pieces + 1
    with connected(server) as connection:
        for start in range(0, len(head), step):
            connection.sendall(head[start : start + step])
        status, document = received(connection)
    assert status == 431
    assert document["type"] == "urn:tregcast:problem:head_too_large"


def test_a_client_that_says_that_it_sends_no_more_is_answered(server: Any, record: dict[str, Any]) -> None:
    body = json.dumps({"records": [record] * 50}).encode()  # answered in more than one turn of the loop
    head = HEAD.replace(b"/v1/predict", b"/v1/predict/batch") + f"content-length: {len(body)}\r\n\r\n".encode()
    for _ in range(5):
        with connected(server) as connection:
            connection.sendall(head + body)
            connection.shutdown(socket.SHUT_WR)
            whole = b""
            while chunk := connection.recv(65536):
                whole += chunk
        assert whole.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(whole.partition(b"\r\n\r\n")[2])["answers"]) == 50


def test_a_header_without_end_is_refused(server: Any) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD + b"x-long: " + b"a" * (MOST_HEAD_BYTES + 1))
        assert received(connection)[0] == 431


@pytest.mark.slow
def test_answers_that_nobody_reads_are_not_kept(server: Any, record: dict[str, Any]) -> None:
    body = json.dumps({"records": [record] * 900}).encode()
    head = HEAD.replace(b"/v1/predict", b"/v1/predict/batch") + f"content-length: {len(body)}\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        url = httpx.URL(server.url)
        connection.connect((url.host, url.port))
        sender = threading.Thread(target=send_all, args=(connection, (head + body) * TIMES))
        sender.start()
        whole = connection.recv(2000)
        ended = select.poll()
        ended.register(connection, 0)  # tells of an end alone, and reads nothing
        ended.poll((SECONDS_TO_TAKE + 8) * 1000)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                whole += chunk
        sender.join(20)
    length = int(whole.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    print(f"{len(whole):,} of {TIMES * length:,} bytes")
    assert len(whole) < TIMES * length


def send_all(connection: socket.socket, sent: bytes) -> None:
    with suppress(OSError):  # the other end has enough
        connection.sendall(sent)


@pytest.mark.parametrize(
    "lengths",
    [
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        b"content-length: 2\r\ncontent-length: 2\r\n",
        b"content-length: 2\r\ncontent-length: 3\r\n",
        b"content-length: 2, 2\r\n",
        b"content-length: +2\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
    ],
)
def test_a_length_that_is_told_twice_is_refused(server: Any, lengths: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD + lengths + b"connection: close\r\n\r\n{}")
        status, document = received(connection)
    assert status in {400, 413}
    assert document["problems"]


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"hello\r\n\r\n"])
def test_what_is_not_http_gets_a_problem_document(server: Any, rubbish: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        status, document = received(connection)
    assert status in {400, 404, 405}
    assert document["type"].startswith("urn:tregcast:problem:")


@pytest.mark.parametrize("line", [b"/v1/predict HTTP/0.9", b"/v1/predict HTTP/2.0", b"/v1/predict#x HTTP/1.1"])
def test_a_request_line_that_is_not_of_http_1_is_refused(server: Any, line: bytes) -> None:
    with connected(server) as connection:
        head = HEAD.replace(b"/v1/predict HTTP/1.1", line)
        connection.sendall(head + b"content-length: 2\r\n\r\n{}")
        status, document = received(connection)
    assert (status, document["type"]) == (400, "urn:tregcast:problem:not_http")


def test_many_small_headers_are_a_large_head(server: Any) -> None:
    many = b"".join(b"x-%d: 1\r\n" % at for at in range(MOST_HEAD_BYTES // 9))
    with connected(server) as connection:
        connection.sendall(HEAD + many + b"content-length: 2\r\n\r\n{}")
        assert received(connection)[0] == 431


@pytest.mark.parametrize("path", ["/v1%2fpredict", "/v1/%70redict", "/v1/predict%00", "/v1/predict%"])
def test_a_path_with_an_escape_is_no_path_of_ours(server: Any, path: str) -> None:
    with connected(server) as connection:
        head = HEAD.replace(b"/v1/predict", path.encode())
        connection.sendall(head + b"connection: close\r\ncontent-length: 0\r\n\r\n")
        status, document = received(connection)
    assert (status, document["type"]) == (404, "urn:tregcast:problem:not_found")
