"""Heads of requests that tell wrongly of a good body, and request lines that name no route, or are none."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from tests.proof.raw_request import CANARY, CANARY_NUMBER, PATHS, Named, raw

CHUNKED = b"transfer-encoding: chunked\r\n"
KINDS = (
    *(b"", b"text/json", b"text/plain", b"text/html", b"application/xml", b"application/x-www-form-urlencoded"),
    *(b"multipart/form-data; boundary=x", b"application/vnd.bentoml+pickle", b"application/octet-stream"),
    *(b"application/x-pickle", b"application/json; charset=latin-1", b"application/json; charset=utf-16"),
    *(b"application/json, text/html", b"application/json; boundary=x", b"application/jsonp", b"json", b"*/*"),
    *(b"application/problem+json", b"application/jsonl", b"application/json\x0bx", b"\xff\xfe", b";", b"=?"),
    *(b"application/json; charset=\xff", CANARY.encode()),
)
ODD_HEADERS = (
    ("NUL in a header", b"x-a: \0" + CANARY.encode() + b"\r\n"),
    ("NUL in a name", b"x\0a: 1\r\n"),
    ("header without colon", CANARY.encode() + b"\r\n"),
    ("header of spaces", b" : 1\r\n"),
    ("name with a space", b"x a: 1\r\n"),
    ("name with a tab", b"x\ta: 1\r\n"),
    ("empty name", b": 1\r\n"),
    ("non-ASCII name", b"x\xff: 1\r\n"),
    ("bare CR", b"x-a: 1\rx-b: 2\r\n"),
    ("a header without end", b"x-a: " + b"a" * 40_000 + b"\r\n"),
    ("a second host", b"host: localhost\r\n"),
    ("another host", b"host: " + CANARY.encode() + b".example\r\n"),
    ("a second content type", b"content-type: application/json\r\n"),
    ("two codings of the content", b"content-encoding: identity\r\ncontent-encoding: gzip\r\n"),
    ("an expectation", b"expect: " + CANARY.encode() + b"\r\n"),
    ("two expectations", b"expect: 100-continue\r\nexpect: 100-continue\r\n"),
    ("an idempotency key too long", b"idempotency-key: " + b"a" * 256 + b"\r\n"),
    ("an idempotency key that is none", b"idempotency-key: \xff\r\n"),
    ("two idempotency keys", b"idempotency-key: a\r\nidempotency-key: a\r\n"),
    ("4,000 headers", b"".join(b"x-%d: 1\r\n" % at for at in range(4000))),
)
ODD_LENGTHS = (
    *(("minus", b"-1"), ("hex", b"0x10"), ("text", CANARY.encode()), ("huge", b"99999999999999999999999")),
    *(("past int64", b"9223372036854775808"), ("spaces", b"1 2"), ("empty", b""), ("short", b"5"), ("zero", b"0")),
)
ODD_TRANSFERS = (
    ("gzip, chunked", b"transfer-encoding: gzip, chunked\r\n"),
    ("identity", b"transfer-encoding: identity\r\n"),
    ("gzip and chunked", b"transfer-encoding: gzip\r\n" + CHUNKED),
    ("unknown", b"transfer-encoding: x" + CANARY.encode() + b"\r\n"),
    ("xchunked", b"transfer-encoding: xchunked\r\n"),
    ("chunked twice", CHUNKED + CHUNKED),
    ("chunked, identity", b"transfer-encoding: chunked, identity\r\n"),
    ("identity, chunked twice", CHUNKED + b"transfer-encoding: identity\r\n"),
    ("space before colon", b"transfer-encoding : chunked\r\n"),
    ("folded", b"transfer-encoding:\r\n chunked\r\n"),
    ("vertical tab", b"transfer-encoding: \x0bchunked\r\n"),
    ("NUL", b"transfer-encoding: chunked\0\r\n"),
)
METHODS = (
    *("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "post", "POSTX"),
    *(CANARY, "CONNECT", "", "P\0ST", "PRI", "M-SEARCH"),
)
ODD_PATHS = (
    *("/v1/predict/", "//v1/predict", "/v1//predict", "/V1/PREDICT", "/v1/predict/..", "/v1/predict;x=1", "/v1"),
    *("/v1/predict%00", "/v1%2fpredict", "/v1/predict%2f", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd"),
    *("/v1/%70redict%0d%0ax-a:1", "/v1/predict%", "/v1/predict%zz", "/v1/predict%c0%af", "/v1/predict%ff"),
    *("/v1/predict\\", "/v1/pre\tdict", f"/{CANARY}/{CANARY_NUMBER}", "/v1/predict\0", "*", "v1/predict", ""),
    *("https://localhost/v1/predict", "http://x/v1/predict", f"http://{CANARY}@localhost/v1/predict"),
    *("http://", "http:///v1", "http://x:99999/v1", f"http://x/{CANARY}", "https://[::1/v1", "x" * 40_000, "/é"),
    *("/v1/predict#x/..", "/metrics", "/predict", "/healthz", "/docs.json", "/docs/oauth2-redirect", "/static/x"),
    *("/v1/models", "/invocations", "/.git/config", "/v1/predict/batch/1", "/v1/audit", "/admin"),
)
VERSIONS = ("0.9", "1.2", "2.0", "3", "x", "", "1.1.1", "99.99", CANARY)


def malformed_headers(body: bytes, path: str) -> Iterator[Named]:
    """A good body, told of wrongly."""
    for kind in KINDS:
        yield f"content-type {kind!r}", raw(body, path=path, content_type=kind)
    for coding, coded in _codings(body):
        yield f"coded {coding}", raw(coded, path=path, more=f"content-encoding: {coding}\r\n".encode())
    parts = b'--x\r\ncontent-disposition: form-data; name="record"\r\n\r\n' + body + b"\r\n--x--\r\n"
    yield "multipart", raw(parts, path=path, content_type=b"multipart/form-data; boundary=x")
    yield "multipart said to be JSON", raw(parts, path=path)
    for name, length, sent in (*_lengths(body), *_transfers(body), *_chunks(body)):
        yield name, raw(sent, path=path, length=length)
    for name, more in ODD_HEADERS:
        yield name, raw(body, path=path, more=more)


def malformed_lines(body: bytes) -> Iterator[Named]:
    """Request lines that name no route, no method of it, or are none."""
    for method in METHODS:
        for path in PATHS:
            yield f"{method!r} {path}", raw(body, path=path, method=method)
    yield "HEAD", raw(b"", method="HEAD")
    for path in ODD_PATHS:
        for method in ("POST", "GET"):
            yield f"{method} {path[:40]!r}", raw(body, path=path, method=method)
    for version in VERSIONS:
        yield f"HTTP/{version}", raw(body[:-1], version=version)
    yield from _no_requests(body)


def _codings(body: bytes) -> tuple[Named, ...]:
    return (
        ("gzip", gzip.compress(body)),
        ("deflate", zlib.compress(body)),
        ("br", body),
        ("gzip, gzip", gzip.compress(gzip.compress(body))),
        ("GZIP", gzip.compress(body)),
        ("x-unknown", body),
        ("gzip", gzip.compress(b"0" * 2**24)),
    )


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def _lengths(body: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, the header lines that say how long the body is, and what is sent as the body."""
    length, chunks = b"content-length: %d\r\n" % len(body), _chunked(body)
    yield "CL.TE", b"content-length: 4\r\n" + CHUNKED, chunks
    yield "TE.CL", CHUNKED + length, body
    yield "CL.CL same", length + length, body
    yield "CL.CL other", length + b"content-length: 3\r\n", body
    yield "CL list", b"content-length: %d, %d\r\n" % (len(body), len(body)), body
    yield "CL plus", b"content-length: +%d\r\n" % len(body), body
    for name, value in ODD_LENGTHS:
        yield f"CL {name}", b"content-length: " + value + b"\r\n", body


def _transfers(body: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """The same, of transfer codings."""
    chunks = _chunked(body)
    for name, lines in ODD_TRANSFERS:
        yield f"TE {name}", lines, chunks


def _chunks(body: bytes) -> tuple[tuple[str, bytes, bytes], ...]:
    """The same, of chunks that are none, and of a second request behind the body."""
    inner = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
    return (
        ("chunk of no size", CHUNKED, b"\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunk of negative size", CHUNKED, b"-1\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunk of size 0x", CHUNKED, b"0x5\r\n12345\r\n0\r\n\r\n"),
        ("chunk too long", CHUNKED, b"5\r\n1234567890\r\n0\r\n\r\n"),
        ("chunk of huge size", CHUNKED, b"ffffffffffffffffff\r\n1\r\n0\r\n\r\n"),
        ("chunk of text size", CHUNKED, b"zz\r\n1\r\n0\r\n\r\n"),
        ("chunk without CR", CHUNKED, b"5\n12345\n0\n\n"),
        ("long extension", CHUNKED, b"5;" + b"a" * 40_000 + b"\r\n12345\r\n0\r\n\r\n"),
        ("smuggled behind chunks", CHUNKED, b"0\r\n\r\n" + inner),
        ("smuggled behind a length", b"content-length: 2\r\n", b"{}" + inner),
    )


def _no_requests(body: bytes) -> Iterator[Named]:
    """What other protocols say, and lines that are none."""
    yield from (
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
        ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500),
        ("a body alone", body),
        ("NULs", b"\0" * 2000),
        ("line feeds and junk", b"\n" * 50 + CANARY.encode() + b"\r\n\r\n"),
        ("HTTP/0.9", b"GET /\r\n\r\n"),
        ("a response", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("SMTP", b"EHLO x\r\nMAIL FROM:<a@b>\r\n\r\n"),
        ("redis", b"*1\r\n$4\r\nPING\r\n\r\n"),
        ("spaces in the line", b"POST  /v1/predict   HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        ("no version", b"POST /v1/predict\r\nhost: localhost\r\n\r\n"),
        ("lower http", b"POST /v1/predict http/1.1\r\nhost: localhost\r\n\r\n"),
    )
