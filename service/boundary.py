"""The boundary around every request: an id, a log line, headers, and no exception that gets past it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import log
from service.connection_end import GONE, TASK, UNREADABLE
from service.head import head_problem
from service.hosts import AllowedHosts
from service.metrics.codes import ENDPOINTS, NO_ROUTE
from service.metrics.metrics import Metrics
from service.problem import ProblemDocument, Unanswered, internal_error, not_found, unavailable
from service.problem_response import problem_response
from service.request_ids import REQUEST_ID, TRACEPARENT, request_id_of, trace_id_of, traceparent_of
from service.traces.traces import NoTraces, Traces

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
PROBES = frozenset({"/livez", "/readyz"})  # asked every few seconds: logged only when they fail
MOST_IN_FLIGHT = 256  # requests of a worker: more only wait longer, and hold their bodies in memory meanwhile
CALLER_LEFT = 499  # nginx's number: nobody is there to be answered
LOGGED = ("caller", "outcome", "repeated", "trace_id")  # of a request's state, where it is there
HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Boundary:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics | None = None,
        traces: Traces | None = None,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self.app = app
        self._metrics = metrics or Metrics()
        self._traces = traces or NoTraces()
        self._hosts = hosts or AllowedHosts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(scope, receive, send)
        self._traces.begin(scope)
        self._metrics.in_flight += 1
        try:
            await self._answer(exchange)
        except ClientDisconnect:
            exchange.status = CALLER_LEFT
        except asyncio.CancelledError:
            if not exchange.is_abandoned():
                raise  # the server ends
            exchange.status = CALLER_LEFT
        except Exception as error:
            _log_fault(error, exchange.request_id)
            if exchange.status:
                raise RuntimeError("a response was cut off") from None
            await exchange.respond(internal_error())
        finally:
            self._metrics.in_flight -= 1
            self._ended(scope, exchange.status, perf_counter() - started)

    async def _answer(self, exchange: _Exchange) -> None:
        scope = exchange.scope
        refusal = head_problem(scope, self._hosts)
        if refusal is not None:
            await exchange.respond(refusal)
        elif self._metrics.in_flight > MOST_IN_FLIGHT and scope["path"] not in PROBES:
            await exchange.respond(unavailable("has as many requests as it can answer at a time", 1))
        elif b"%" in scope.get("raw_path", b""):
            await exchange.respond(not_found())  # no path of ours has an escape: /v1%2Fpredict is not /v1/predict
        else:
            await self.app(scope, exchange.receive, exchange.send)

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        """Count the request, end its span, and write its line."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route: str = getattr(scope.get("route"), "path", NO_ROUTE)
        state: dict[str, str] = scope["state"]
        if status == 503 and scope["path"] in ENDPOINTS:
            state["outcome"] = "unavailable"
        self._metrics.request(method, route, scope["path"], status, seconds)
        self._traces.end(scope, method, route, status)
        if route in PROBES and status == 200:
            return
        log.write(
            logging.INFO,
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1e3, 3),
            request_id=state["request_id"],
            **{name: state[name] for name in LOGGED if name in state},
        )


class _Exchange:
    """A request, and what has left of its answer.

    ``request_id`` is the caller's where it sent one that may stand in a log, else one of ours. ``status`` is 0
    until an answer begins to leave.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive, self._send = receive, send
        self.request_id = request_id_of(scope["headers"]) or secrets.token_hex(8)
        self.status = 0
        self._body_was_asked_for = False
        self._traceparent = traceparent_of(scope["headers"])
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id
        self._state[TASK] = asyncio.current_task()
        if self._traceparent is not None:
            self._state["trace_id"] = trace_id_of(self._traceparent)

    async def receive(self) -> Message:
        """More of the body.

        Raises:
            Unanswered: the rest of it cannot be read.
        """
        self._body_was_asked_for = True
        message = await self._receive()
        refusal: ProblemDocument | None = self._state.get(UNREADABLE)
        if refusal is not None:
            raise Unanswered(refusal)
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(REQUEST_ID, self.request_id.encode("ascii"))]
            if self._traceparent is not None:
                own.append((TRACEPARENT, self._traceparent.encode("ascii")))
            if not self._body_was_asked_for and any(name == b"expect" for name, _ in self.scope["headers"]):
                own.append((b"connection", b"close"))  # whether the body comes all the same, nobody can know
            message["headers"] = [*message["headers"], *HEADERS, *own]
        await self._send(message)

    async def respond(self, document: ProblemDocument) -> None:
        """Answer with a problem document."""
        response = problem_response(document, self.request_id)
        await response(self.scope, self.receive, self.send)

    def is_abandoned(self) -> bool:
        """Whether the caller is gone, for which reason what answers it was cancelled."""
        return bool(self._state.get(GONE))


def _log_fault(error: Exception, request_id: str) -> None:
    where = log.place(sys.exc_info()[2])
    log.write(logging.ERROR, "fault", request_id=request_id, exception=type(error).__name__, where=where)
