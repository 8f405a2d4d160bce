"""The application: one Starlette app that answers from the pack that is held."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from features.problem import Rejected
from service import log
from service.boundary import Boundary
from service.desk import Desk
from service.problem import ProblemDocument, Unanswered, method_not_allowed, not_found, other, rejected
from service.problem_response import problem_response
from service.routes import routes


def create_app(desk: Desk) -> Starlette:
    """The application: on every path of it JSON or a problem document, from the pack that ``desk`` holds.

    While it runs, the pack is swapped when its path stands for another one.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        held = desk.held
        gc.collect()
        gc.freeze()  # what is loaded by now stays: no collection walks it again
        log.write(logging.INFO, "started", pack=held.current.pack.id)
        held.start()
        if desk.shadow is not None:
            desk.shadow.start()
        yield
        if desk.shadow is not None:
            desk.shadow.stop()
        held.stop()
        desk.close()
        log.write(logging.INFO, "stopped", pack=held.current.pack.id)

    return bounded_app(desk, routes(desk), lifespan)


def bounded_app(desk: Desk, routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """An application whose every answer is that of a route or a problem document."""
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Boundary, metrics=desk.metrics, traces=desk.traces, hosts=desk.hosts)],
        exception_handlers={Rejected: _on_rejected, Unanswered: _on_unanswered, HTTPException: _on_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _on_rejected(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    return _respond(request, rejected(error))


async def _on_unanswered(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unanswered)
    return _respond(request, error.document)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _respond(request, not_found())
    if error.status_code == 405:
        methods = sorted(method.strip() for method in (error.headers or {}).get("Allow", "").split(","))
        return _respond(request, method_not_allowed(", ".join(methods)))
    return _respond(request, other(error.status_code))


def _respond(request: Request, document: ProblemDocument) -> Response:
    return problem_response(document, request.state.request_id)
