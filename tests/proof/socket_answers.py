"""What a server says to raw bytes: every response of the connection, until it closes."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Said:
    """One response."""

    status: int
    content_type: str
    body: bytes


def asked(url: str, sent: bytes, seconds: float = 30) -> list[Said]:
    """Send bytes, say that no more come, and read what is answered."""
    at = httpx.URL(url)
    with socket.create_connection((at.host, at.port or 80), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused while sending: the answer is there all the same
        whole = b""
        try:
            while chunk := connection.recv(1 << 16):
                whole += chunk
        except ConnectionResetError:
            pass
    return _responses(whole)


def _responses(whole: bytes) -> list[Said]:
    found = []
    while whole.startswith(b"HTTP/1.1 "):
        head, _, rest = whole.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        size = 0 if status == 100 else int(headers.get(b"content-length", b"0"))
        body, whole = rest[:size], rest[size:]
        if headers.get(b"transfer-encoding") == b"chunked":
            body, whole = _of_chunks(rest)
        found.append(Said(status, headers.get(b"content-type", b"").decode("latin-1"), body))
    assert not whole, f"what is no response: {whole[:200]!r}"
    return found


def _of_chunks(rest: bytes) -> tuple[bytes, bytes]:
    """What the chunks hold, and what comes behind the last one."""
    body = b""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        body, end, rest = body + rest[:size], rest[size : size + 2], rest[size + 2 :]
        assert end == b"\r\n"
        if size == 0:
            return body, rest
