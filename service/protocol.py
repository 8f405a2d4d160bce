"""The HTTP protocol of a connection: bounds on how large and how slow the head of a request may be.

Without them a client that sends a header a second, or never ends one, holds a connection and memory for ever. How a
connection ends is in `service.connection_end`.
"""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
import sys
from asyncio import TimerHandle

from service import log
from service.connection_end import EndingProtocol
from service.head import TARGET
from service.json_response import PROBLEM_JSON, json_bytes
from service.metrics.codes import NO_ROUTE, OTHER
from service.problem import (
    ProblemDocument,
    ambiguous_length,
    head_too_large,
    incomplete,
    not_http,
    too_slow,
    unsupported_transfer_encoding,
)

MOST_HEAD_BYTES = 32 * 1024  # request line and headers
BETWEEN = len(": \r\n")  # name and value of a header, and behind them
VERSIONS = ("1.0", "1.1")  # the parser would take 0.9 and 2.0 as well
SECONDS_TO_SEND = 5.0  # all of a head, from the connection's start or from its first byte


class BoundedProtocol(EndingProtocol):
    """A connection. What is no request is answered with a problem document, as everything else is."""

    _head_timer: TimerHandle | None = None
    _received = 0  # bytes since the head began
    _parsed = 0  # bytes of it that are understood: a head may also come in one piece, with its body behind it
    _began = 0.0  # when the head began, on the loop's clock
    _refusal: ProblemDocument | None = None  # of what came behind requests that are still being answered
    _codings: tuple[bytes, ...] = ()  # of the transfer, of this head; the parser stops at some

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
        if name.lower() == b"transfer-encoding":
            self._codings = (*self._codings, value.strip().lower())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; what follows is the body, whose reader has bounds of its own."""
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            raise ValueError("no version of HTTP that is spoken here")  # see `_count`
        self._head_is_there()
        if not self.url.startswith(b"/"):
            self.scope["state"][TARGET] = self.url
        if version == "1.0":
            self.expect_100_continue = False  # it knows no answer before the answer
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request is answered; what stood behind it and is none is refused now, and not before."""
        super().on_response_complete()
        if self._refusal is not None and not self.answers() and not self.transport.is_closing():
            self._refuse(self._refusal)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client sends nothing more; one that breaks off a request is told so, after the answers before it."""
        if self.broken:  # it is refused already: at once, or after the answers that are still to come
            self.all_has_come = True
            return not self.transport.is_closing()
        if self.receiving and not self.is_tls:
            self.all_has_come = True
            self._refuse_rest(incomplete("body" if self.in_body else "head"))
            return True
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_is_there()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Answer what the parser refused."""
        self._refuse_rest(self._parser_refusal(str(sys.exc_info()[1])))

    def reads_head(self) -> bool:
        """Whether a part of a request's head has come, and not all of it."""
        return self._head_timer is not None and (self._received > 0 or self.receiving)

    def _parser_refusal(self, reason: str) -> ProblemDocument:
        """What to answer where the parser stops with this reason, in llhttp's words."""
        if self._parsed > MOST_HEAD_BYTES:
            return head_too_large(MOST_HEAD_BYTES)
        if "present with" in reason or "Duplicate" in reason:
            return ambiguous_length()
        if "`Transfer-Encoding`" in reason:
            return ambiguous_length() if self._codings[:1] == (b"chunked",) else unsupported_transfer_encoding()
        return not_http()

    def _refuse_rest(self, document: ProblemDocument) -> None:
        """Refuse what comes no further: the request whose body it is, or what is no request."""
        if self.in_body:
            self.break_off(document)
        else:
            self._refuse(document)

    def _count(self, parsed: int) -> None:
        self._parsed += parsed
        if self._parsed > MOST_HEAD_BYTES:
            raise ValueError("the head is too large")  # the parser stops, and `send_400_response` is called

    def _await_head(self) -> None:
        self._received = self._parsed = 0
        self._codings = ()
        self._began = self.loop.time()
        self._head_timer = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._received or self.receiving:
            self._refuse(too_slow("head", SECONDS_TO_SEND))
        else:
            self.transport.close()  # it has said nothing: there is nothing to answer

    def _refuse(self, document: ProblemDocument) -> None:
        """Answer what is no request, after the answers to the requests before it, and close."""
        self._head_is_there()
        self.receiving = self.broken = True  # what would be the rest of it is thrown away
        self._refusal = document if self.answers() else None
        if self._refusal is not None:
            return
        request_id = secrets.token_hex(8)
        content = json_bytes(document.to_json(request_id))
        phrase = http.HTTPStatus(document.status).phrase
        head = (
            f"HTTP/1.1 {document.status} {phrase}\r\ncontent-type: {PROBLEM_JSON}\r\n"
            f"content-length: {len(content)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + content)
        self.transport.close()
        self.refused(document.status, self.loop.time() - self._began)
        told: dict[str, log.Field] = {"method": OTHER, "route": NO_ROUTE, "status": document.status}
        log.write(logging.INFO, "request", **told, request_id=request_id)
