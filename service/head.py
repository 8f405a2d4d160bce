"""What the head of a request must be, beyond what the parser of HTTP asks; for every path and both ports."""

from __future__ import annotations

from collections import Counter

from starlette.types import Scope

from service.hosts import AllowedHosts
from service.problem import (
    ProblemDocument,
    ambiguous_length,
    bad_target,
    host_not_allowed,
    missing_host,
    repeated_header,
    unsupported_expectation,
    unsupported_transfer_encoding,
)

ONCE = (b"host", b"content-type", b"content-encoding", b"expect", b"idempotency-key")
TARGET = "target"  # in the state of a request: its target as it was sent, where that is not a path alone


def head_problem(scope: Scope, hosts: AllowedHosts) -> ProblemDocument | None:
    """Why a request is refused by its head, or None.

    Of headers that tell what a request is there may be one each: of two, a proxy and we might each believe another.

    >>> scope = {"type": "http", "http_version": "1.1", "server": ("127.0.0.1", 3000), "state": {}}
    >>> head_problem({**scope, "headers": [(b"host", b"localhost:3000")]}, AllowedHosts()) is None
    True
    >>> head_problem({**scope, "headers": [(b"host", b"a"), (b"host", b"a")]}, AllowedHosts()).code
    'repeated_header'
    >>> chunks = [(b"host", b"localhost"), (b"transfer-encoding", b"gzip, chunked")]
    >>> head_problem({**scope, "headers": chunks}, AllowedHosts()).status
    501
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    times = Counter(name for name, _ in headers)
    for name in ONCE:
        if times[name] > 1:
            return repeated_header(name.decode("ascii"))
    values = dict(headers)
    return (
        _host_problem(scope, values, hosts)
        or _framing_problem(scope, values, times)
        or _expectation_problem(scope, values)
    )


def _host_problem(scope: Scope, values: dict[bytes, bytes], hosts: AllowedHosts) -> ProblemDocument | None:
    """HTTP/1.0 knows no ``Host``; what has one there is held to it all the same."""
    server = scope.get("server")
    address = None if server is None else str(server[0])
    host = values.get(b"host", b"").decode("latin-1").strip()
    if not host and (b"host" in values or scope["http_version"] != "1.0"):
        return missing_host()
    if host and not hosts.allow(host, address):
        return host_not_allowed()
    target: bytes | None = scope["state"].get(TARGET)
    if target is None or target == b"*":
        return None
    scheme, separator, rest = target.decode("latin-1").partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    ours = separator and scheme.lower() == scope["scheme"] and hosts.allow(authority, address)
    if not ours or (host and authority.lower() != host.lower()):
        return bad_target()
    return None


def _framing_problem(scope: Scope, values: dict[bytes, bytes], times: Counter[bytes]) -> ProblemDocument | None:
    coding = values.get(b"transfer-encoding")
    if coding is None:
        return None
    if times[b"transfer-encoding"] > 1 or b"content-length" in values or scope["http_version"] == "1.0":
        return ambiguous_length()
    return None if coding.strip().lower() == b"chunked" else unsupported_transfer_encoding()


def _expectation_problem(scope: Scope, values: dict[bytes, bytes]) -> ProblemDocument | None:
    expected = values.get(b"expect", b"100-continue").strip().lower()
    return None if expected == b"100-continue" or scope["http_version"] == "1.0" else unsupported_expectation()
