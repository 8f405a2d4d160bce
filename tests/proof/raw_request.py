"""A request as the bytes that go over a socket, and marks that must not be in anything that the service writes."""

from __future__ import annotations

CANARY, CANARY_NUMBER = "CANARY7f3aTEXT", "987654.32125"
PATHS = ("/v1/predict", "/v1/predict/batch", "/v1/whatif")
Named = tuple[str, bytes]


def raw(
    body: bytes,
    *,
    path: str = "/v1/predict",
    method: str = "POST",
    version: str = "1.1",
    length: bytes | None = None,
    content_type: bytes = b"application/json",
    more: bytes = b"",
) -> bytes:
    """A request with its length as it is (or ``length`` as its header lines), after which the connection closes."""
    told = f"content-length: {len(body)}\r\n".encode() if length is None else length
    line = f"{method} {path} HTTP/{version}\r\n".encode("utf-8", "surrogateescape")
    kind = b"content-type: " + content_type + b"\r\n" if content_type else b""
    return line + b"host: localhost\r\nconnection: close\r\n" + kind + told + more + b"\r\n" + body
