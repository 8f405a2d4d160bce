"""Whom a request may ask for, and heads that HTTP does not allow or that this service does not do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.proof.socket_answers import asked
from tests.service.running import begin
from tests.service.test_pipelined import codes, post

GET = "GET {} HTTP/{}\r\n{}connection: close\r\n\r\n"


def got(url: str, *lines: str, target: str = "/livez", version: str = "1.1") -> list[object]:
    """What a GET with these header lines is answered: its status, or the code of its problem."""
    text = GET.format(target, version, "".join(f"{line}\r\n" for line in lines))
    return codes(asked(url, text.encode("latin-1")))


@pytest.mark.parametrize("port", ["service", "admin"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["host: localhost"], 200),
        (["Host: LocalHost:1"], 200),
        (["host: 127.0.0.1:3000"], 200),
        (["host: [::1]:80"], 200),
        ([], "missing_host"),
        (["host:"], "missing_host"),
        (["host:  "], "missing_host"),
        (["host: localhost", "host: localhost"], "repeated_header"),
        (["host: localhost", "host: rebound.example"], "repeated_header"),
        (["host: rebound.example"], "host_not_allowed"),
        (["host: rebound.example:3000"], "host_not_allowed"),
        (["host: localhost.rebound.example"], "host_not_allowed"),
        (["host: 127.0.0.1.rebound.example"], "host_not_allowed"),
        (["host: 10.1.2.3"], "host_not_allowed"),
        (["host: localhost, rebound.example"], "host_not_allowed"),
        (["host: user@localhost"], "host_not_allowed"),
        (["host: localhost:x"], "host_not_allowed"),
        (["host: localhost/"], "host_not_allowed"),
        (["host: \xe9"], "host_not_allowed"),
        (["host: 0.0.0.0"], "host_not_allowed"),
        (["host: localhost", "expect: a-miracle"], "unsupported_expectation"),
        (["host: localhost", "content-type: a/b", "content-type: a/b"], "repeated_header"),
        (["host: localhost", "content-encoding: identity", "content-encoding: gzip"], "repeated_header"),
        (["host: localhost", "x-forwarded-host: rebound.example"], 200),
    ],
)
def test_heads(server: Any, port: str, lines: list[str], expected: object) -> None:
    assert got(server.url if port == "service" else server.admin, *lines) == [expected]


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/model", "/v1/predict", "/nothing"])
def test_a_rebound_name_reaches_nothing(server: Any, path: str) -> None:
    for url in (server.url, server.admin):
        assert got(url, "host: rebound.example", target=path) == ["host_not_allowed"]


def test_http_1_0_may_do_without_a_host(server: Any) -> None:
    assert got(server.url, version="1.0") == [200]
    assert got(server.url, "host: rebound.example", version="1.0") == ["host_not_allowed"]


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("http://localhost/livez", "localhost", 200),
        ("HTTP://LOCALHOST/livez", "localhost", 200),
        ("https://localhost/livez", "localhost", "bad_target"),
        ("ftp://localhost/livez", "localhost", "bad_target"),
        ("http://rebound.example/livez", "localhost", "bad_target"),
        ("http://localhost/livez", "127.0.0.1", "bad_target"),
        ("http://user@localhost/livez", "localhost", "bad_target"),
        ("http://rebound.example/livez", "rebound.example", "host_not_allowed"),
    ],
)
def test_absolute_targets(server: Any, target: str, host: str, expected: object) -> None:
    assert got(server.url, f"host: {host}", target=target) == [expected]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("transfer-encoding: chunked\r\n", 200),
        ("transfer-encoding: Chunked\r\n", 200),
        ("transfer-encoding: gzip\r\n", "unsupported_transfer_encoding"),
        ("transfer-encoding: gzip, chunked\r\n", "unsupported_transfer_encoding"),
        ("transfer-encoding: identity\r\n", "unsupported_transfer_encoding"),
        ("transfer-encoding: chunked, identity\r\n", "unsupported_transfer_encoding"),
        ("transfer-encoding: xchunked\r\n", "unsupported_transfer_encoding"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "ambiguous_length"),
        ("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", "ambiguous_length"),
    ],
)
def test_transfer_encodings(server: Any, record: dict[str, Any], lines: str, expected: object) -> None:
    body = json.dumps(record).encode()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}\r\n"
    first, *_ = asked(server.url, head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert codes([first]) == [expected]
    if expected == "unsupported_transfer_encoding":
        assert first.status == 501


def test_who_waits_to_be_told_to_go_on(server: Any, record: dict[str, Any]) -> None:
    """100 where the body is wanted; where it is not, the answer at once and the end of the connection."""
    body = json.dumps(record).encode()
    expecting = "expect: 100-continue\r\n"
    assert codes(asked(server.url, post(body, more=expecting))) == [100, 200]
    wrong = post(body, more=expecting).replace(b"application/json", b"text/csv")
    assert codes(asked(server.url, wrong.removesuffix(body))) == ["unsupported_media_type"]
    old = post(body, more=expecting).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert codes(asked(server.url, old)) == [200]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_name_of_the_settings_is_answered(launcher: Any, pack_folder: Any, how: str) -> None:
    names = "tregcast.hospital.example ward7:3000"
    options = ("--allowed-hosts", names) if how == "option" else ()
    settings = {} if how == "option" else {"TREGCAST_ALLOWED_HOSTS": names}
    service = begin(launcher, pack_folder, *options, **settings)
    for url in (service.url, *service.admin):
        assert got(url, "host: Tregcast.hospital.example:8443") == [200]
        assert got(url, "host: ward7:3000") == [200]
        assert got(url, "host: localhost") == [200]
        assert got(url, "host: ward7") == ["host_not_allowed"]
        assert got(url, "host: rebound.example") == ["host_not_allowed"]


def test_a_name_that_is_none_is_refused(launcher: Any, pack_folder: Any) -> None:
    process, output = launcher.command(pack_folder, "--allowed-hosts", "https://ward7/")
    assert process.wait(20) == 2
    assert "TREGCAST_ALLOWED_HOSTS = 'https://ward7/' is not a host's name" in output.read_text("utf-8")
