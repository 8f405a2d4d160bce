"""The HTTP protocol of a connection: uvicorn's, with bounds on how large and how slow the head of a request may be.

Without them a client that sends a header a second, or never ends one, holds a connection and memory for ever.
"""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
from asyncio import TimerHandle
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service import log
from service.json_response import PROBLEM_JSON, json_bytes
from service.problem import ProblemDocument, head_too_large, not_http, too_slow

MOST_HEAD_BYTES = 32 * 1024  # request line and headers
BETWEEN = len(": \r\n")  # name and value of a header, and behind them
VERSIONS = ("1.0", "1.1")  # the parser would take 0.9 and 2.0 as well
SECONDS_TO_SEND = 5.0  # all of a head, from the connection's start or from its first byte
SECONDS_TO_COME = 1.0  # of a request that may be on its way when the server is told to end
SECONDS_TO_TAKE = (
    20.0  # of an answer that does not fit into the network's buffers: who reads none of it holds it in memory
)
SECONDS_TO_READ = 2.0  # of a client that is refused while it still sends: closed at once, it might never see why


class _Closing:
    """A transport whose end is another's to decide."""

    def __init__(self, transport: asyncio.Transport, leave: Callable[[asyncio.Transport], None]) -> None:
        self._transport, self._leave = transport, leave
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._leave(self._transport)

    def is_closing(self) -> bool:
        return self._closed or self._transport.is_closing()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class Connections(ServerState):
    """The connections of a server; while it is ``ending``, those that come are told so as well."""

    ending = False


class BoundedProtocol(HttpToolsProtocol):
    """A connection. What is no request is answered with a problem document, as everything else is."""

    _head_timer: TimerHandle | None = None
    _receiving = False  # a request has begun to come, and has not come to its end
    _rest: TimerHandle | None = None  # it was answered before its end; until then the end has to be there
    _leaving: TimerHandle | None = None  # nothing more is answered; what still comes is thrown away until then
    _taking: TimerHandle | None = None  # until then the client has to have read nearly all of an answer
    _ending: TimerHandle | None = None  # the server ends; the next request is the last
    _received = 0  # bytes since the head began
    _parsed = 0  # bytes of it that are understood: a head may also come in one piece, with its body behind it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: a client that connects has something to say."""
        super().connection_made(_Closing(transport, self._leave))  # type: ignore[arg-type]
        self._await_head()
        if isinstance(self.server_state, Connections) and self.server_state.ending:
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        """Take in what came, if the head stays within its bounds."""
        if self._leaving is not None:
            return
        self._received += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._received > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(head_too_large(MOST_HEAD_BYTES))

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._receiving = True
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
        if self._ending is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End, after the answer to a request that is being answered or on its way: a caller has no way to know."""
        if self._answers():
            super().shutdown()
        self._ending = self.loop.call_later(SECONDS_TO_COME, self._close_if_idle)

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self._receiving = False
        self._cancel_rest()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered; what of it has not come is read by nobody, and may not go on for ever."""
        super().on_response_complete()
        if self._receiving and self._leaving is None:
            self._rest = self.loop.call_later(SECONDS_TO_READ, self.transport.close)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        self._taking = self.loop.call_later(SECONDS_TO_TAKE, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read nearly all."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that sends nothing more may still listen for the answer to what it sent."""
        if not self._answers() or self._receiving:
            return False  # the transport closes
        last = self.pipeline[0][0] if self.pipeline else self.cycle
        last.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_is_there()
        self._cancel_rest()
        for timer in (self._leaving, self._ending, self._taking):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """Answer what the parser refused."""
        self._refuse(head_too_large(MOST_HEAD_BYTES) if self._parsed > MOST_HEAD_BYTES else not_http())

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

    def _close_if_idle(self) -> None:
        reads_head = self._head_timer is not None and self._received > 0
        if not self._answers() and not reads_head:
            self.transport.close()

    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._received:
            self._refuse(too_slow("head", SECONDS_TO_SEND))
        else:
            self.transport.close()  # it has said nothing: there is nothing to answer

    def _cancel_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _leave(self, transport: asyncio.Transport) -> None:
        """Close, at once or, where the client still sends, our side first: so it can read what it was told."""
        if self._leaving is not None:
            return
        if not self._receiving or transport.is_closing():
            transport.close()
            return
        if not transport.is_reading():
            transport.resume_reading()
        transport.write_eof()
        self._leaving = self.loop.call_later(SECONDS_TO_READ, transport.close)

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
