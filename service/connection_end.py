"""How a connection ends: a client is told why and is answered first, and one that does not read or send is cut off.

* The server ends: the request that is being answered, or is on its way, is the last (`Connections.ending`).
* The client says that it sends no more: what it sent is answered.
* It is refused or answered while it still sends: our side closes first, so that it can read what it was told.
* It does not read: its answer is not kept in memory for ever.
* It is gone: what is being computed for it is cancelled, and is logged as an answer that never left.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service import log
from service.metrics.codes import NO_ROUTE, OTHER
from service.metrics.metrics import Metrics
from service.problem import ProblemDocument

SECONDS_TO_COME = 1.0  # of a request that may be on its way when the server is told to end
SECONDS_TO_READ = 2.0  # of a client that is refused while it still sends: closed at once, it might never see why
SECONDS_TO_TAKE = 20.0  # of an answer too large for the network's buffers: until it is read, it is in our memory


class Connections(ServerState):
    """The connections of a server; while it is ``ending``, those that come are told so as well."""

    ending = False
    metrics: Metrics | None = None  # that count what is refused before it is a request


UNREADABLE = "unreadable"  # in the state of a request: why its body cannot be read to its end
GONE = "gone"  # the same: whether its caller is gone
TASK = "task"  # the same: what answers it


class Closing:
    """A transport whose end is another's to decide. What is asked of it after its end is not done, and no fault.

    A client may be gone at any moment: uvloop raises a `RuntimeError` of a write, or of a pause in reading, that
    comes between the end of a connection and the news of it.
    """

    def __init__(self, transport: asyncio.Transport, leave: Callable[[asyncio.Transport], None]) -> None:
        self._transport, self._leave = transport, leave
        self._closed = False

    def close(self) -> None:
        """End it, when its owner thinks it is time."""
        self._closed = True
        self._leave(self._transport)

    def is_closing(self) -> bool:
        """Whether it ends, or has ended."""
        return self._closed or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send, if there is anybody to send to."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Take in no more for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take in more."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class EndingProtocol(HttpToolsProtocol):
    """uvicorn's protocol of a connection, with an end that the client can understand."""

    receiving = False  # a request has begun to come, and has not come to its end
    in_body = False  # its head is there
    broken = False  # what comes cannot be told into requests any more
    all_has_come = False  # the client sends no more
    is_tls = False
    _running: RequestResponseCycle | None = None  # what is being answered; others may wait behind it
    _rest: TimerHandle | None = None  # it was answered before its end; until then the end has to be there
    _leaving: TimerHandle | None = None  # nothing more is answered; what still comes is thrown away until then
    _taking: TimerHandle | None = None  # until then the client has to have read nearly all of an answer
    _ending: TimerHandle | None = None  # the server ends; the next request is the last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; at a server that ends, for one request at most."""
        super().connection_made(Closing(transport, self._leave))  # type: ignore[arg-type]
        self.is_tls = self.scheme == "https"
        if isinstance(self.server_state, Connections) and self.server_state.ending:
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        """Take in what came, if it is still of use."""
        if self._leaving is None and not self.broken:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self.receiving = True

    def on_headers_complete(self) -> None:
        """The head of a request is there."""
        super().on_headers_complete()
        self.in_body = True
        if self._ending is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self.receiving = self.in_body = False
        self._cancel_rest()
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # a large body had it paused, and who does not read hears of no end

    def on_response_complete(self) -> None:
        """A request is answered; what of it has not come is read by nobody, and may not go on for ever."""
        super().on_response_complete()
        if self.in_body and self.cycle.response_complete and self._leaving is None:
            self._rest = self.loop.call_later(SECONDS_TO_READ, self.transport.close)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        self._taking = self.loop.call_later(SECONDS_TO_TAKE, self._abort)

    def resume_writing(self) -> None:
        """It has read nearly all."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that sends nothing more may still listen for the answer to what it sent; not so over TLS."""
        if self.is_tls or not self.answers():
            return False  # the transport closes
        last = self.pipeline[0][0] if self.pipeline else self.cycle
        last.keep_alive = False
        return True

    def shutdown(self) -> None:
        """End, after the answer to a request that is being answered or on its way: a caller has no way to know."""
        if self.answers():
            super().shutdown()
        self._ending = self.loop.call_later(SECONDS_TO_COME, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._cancel_rest()
        for timer in (self._leaving, self._ending, self._taking):
            if timer is not None:
                timer.cancel()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.scope["state"][GONE] = True
            task: asyncio.Task[Any] | None = running.scope["state"].get(TASK)
            if task is not None:
                task.cancel()
        super().connection_lost(exc)

    def break_off(self, document: ProblemDocument) -> None:
        """No more of the body that is coming can be read: who reads it is told, and the request is the last."""
        self.broken, self.in_body = True, False
        cycle = self.cycle
        cycle.keep_alive = False
        cycle.scope["state"][UNREADABLE] = document
        cycle.message_event.set()
        if cycle.response_complete:
            self.transport.close()

    def refused(self, status: int, seconds: float) -> None:
        """Count what was refused before it was a request."""
        if isinstance(self.server_state, Connections) and self.server_state.metrics is not None:
            self.server_state.metrics.request(OTHER, NO_ROUTE, "", status, seconds)

    def reads_head(self) -> bool:
        """Whether a part of a request's head has come, and not all of it."""
        return self.receiving

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _abort(self) -> None:
        """Cut off an answer that nobody reads; its request was logged with the status that began to leave."""
        if self._running is not None:
            request_id: str = self._running.scope["state"].get("request_id", "")
            log.write(logging.INFO, "answer not read", request_id=request_id)
        self.transport.abort()

    def _close_if_idle(self) -> None:
        if not self.answers() and not self.reads_head():
            self.transport.close()

    def answers(self) -> bool:
        """Whether a request is being answered, or waits for it."""
        return self.cycle is not None and not self.cycle.response_complete

    def _cancel_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _leave(self, transport: asyncio.Transport) -> None:
        """Close, at once or, where the client still sends, our side first: so it can read what it was told."""
        if self._leaving is not None:
            return
        if not self.receiving or self.all_has_come or transport.is_closing():
            transport.close()
            return
        if not transport.is_reading():
            transport.resume_reading()
        if transport.can_write_eof():  # TLS cannot
            transport.write_eof()
        self._leaving = self.loop.call_later(SECONDS_TO_READ, transport.close)
