"""The HTTP protocol of a connection: bounds on how large and how slow the head of a request may be.

Without them a client that sends a header a second, or never ends one, holds a connection and memory for ever. How a
connection ends is in `service.connection_end`.
"""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
from asyncio import TimerHandle

from service import log
from service.connection_end import EndingProtocol
from service.json_response import PROBLEM_JSON, json_bytes
from service.problem import ProblemDocument, head_too_large, not_http, too_slow

MOST_HEAD_BYTES = 32 * 1024  # request line and headers
BETWEEN = len(": \r\n")  # name and value of a header, and behind them
VERSIONS = ("1.0", "1.1")  # the parser would take 0.9 and 2.0 as well
SECONDS_TO_SEND = 5.0  # all of a head, from the connection's start or from its first byte


class BoundedProtocol(EndingProtocol):
    """A connection. What is no request is answered with a problem document, as everything else is."""

    _head_timer: TimerHandle | None = None
    _received = 0  # bytes since the head began
    _parsed = 0  # bytes of it that are understood: a head may also come in one piece, with its body behind it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: a client that connects has something to say."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take in what came, if the head stays within its bounds."""
        self._received += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._received > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(head_too_large(MOST_HEAD_BYTES))

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        if b"#" in url:
            raise ValueError("a fragment is no part of a request")  # see `_count`
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + BETWEEN)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; what follows is the body, whose reader has bounds of its own."""
        if self.parser.get_http_version() not in VERSIONS:
            raise ValueError("no version of HTTP that is spoken here")  # see `_count`
        self._head_is_there()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_is_there()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Answer what the parser refused."""
        self._refuse(head_too_large(MOST_HEAD_BYTES) if self._parsed > MOST_HEAD_BYTES else not_http())

    def reads_head(self) -> bool:
        """Whether a part of a request's head has come, and not all of it."""
        return self._head_timer is not None and self._received > 0

    def _count(self, parsed: int) -> None:
        self._parsed += parsed
        if self._parsed > MOST_HEAD_BYTES:
            raise ValueError("the head is too large")  # the parser stops, and `send_400_response` is called

    def _await_head(self) -> None:
        self._received = self._parsed = 0
        self._head_timer = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._received:
            self._refuse(too_slow("head", SECONDS_TO_SEND))
        else:
            self.transport.close()  # it has said nothing: there is nothing to answer

    def _refuse(self, document: ProblemDocument) -> None:
        self._head_is_there()
        request_id = secrets.token_hex(8)
        content = json_bytes(document.to_json(request_id))
        phrase = http.HTTPStatus(document.status).phrase
        head = (
            f"HTTP/1.1 {document.status} {phrase}\r\ncontent-type: {PROBLEM_JSON}\r\n"
            f"content-length: {len(content)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self._receiving = True  # or what would be the rest of it
        self.transport.write(head.encode("ascii") + content)
        self.transport.close()
        told: dict[str, log.Field] = {"method": "other", "route": "none", "status": document.status}
        log.write(logging.INFO, "request", **told, request_id=request_id)
