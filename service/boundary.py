"""The boundary around every request: an id, a log line, headers, and no exception that gets past it."""

from __future__ import annotations

import logging
import secrets
import sys
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import log
from service.json_response import PROBLEM_JSON, json_response
from service.metrics.codes import ENDPOINTS, NO_ROUTE
from service.metrics.metrics import Metrics
from service.problem import ProblemDocument, internal_error, not_found, unavailable
from service.traces.traces import NoTraces, Traces

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
PROBES = frozenset({"/livez", "/readyz"})  # asked every few seconds: logged only when they fail
MOST_IN_FLIGHT = 256  # requests of a worker: more only wait longer, and hold their bodies in memory meanwhile
HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Boundary:
    """ASGI middleware. The id of a request is ours, never one that was sent, which could hold a name."""

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None, traces: Traces | None = None) -> None:
        self.app = app
        self._metrics = metrics or Metrics()
        self._traces = traces or NoTraces()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        self._traces.begin(scope)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    *HEADERS,
                    (b"x-request-id", request_id.encode("ascii")),
                ]
            await send(message)

        async def respond(document: ProblemDocument) -> None:
            content, headers = document.to_json(request_id), document.headers
            response = json_response(content, status=document.status, media_type=PROBLEM_JSON, headers=headers)
            await response(scope, receive, send_with_headers)

        self._metrics.in_flight += 1
        try:
            if self._metrics.in_flight > MOST_IN_FLIGHT and scope["path"] not in PROBES:
                await respond(unavailable("has as many requests as it can answer at a time", 1))
            elif b"%" in scope.get("raw_path", b""):
                await respond(not_found())  # no path of ours has an escape: /v1%2Fpredict is not /v1/predict
            else:
                await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = 499  # nobody is there to be answered; nginx's number for it
        except Exception as error:
            _log_fault(error, request_id)
            if status:
                raise RuntimeError("a response was cut off") from None
            await respond(internal_error())
        finally:
            self._metrics.in_flight -= 1
            self._ended(scope, status, perf_counter() - started)

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
        known = {name: state[name] for name in ("caller", "outcome") if name in state}
        log.write(
            logging.INFO,
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1e3, 3),
            request_id=state["request_id"],
            **known,
        )


def _log_fault(error: Exception, request_id: str) -> None:
    where = log.place(sys.exc_info()[2])
    log.write(logging.ERROR, "fault", request_id=request_id, exception=type(error).__name__, where=where)
