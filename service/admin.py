"""The admin port: pages for people, and what operators read, in the event loop of the worker that it is about."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.app import bounded_app
from service.desk import Desk
from service.json_response import json_response
from service.metrics.metrics import CONTENT_TYPE
from service.page import CONTENT_SECURITY_POLICY
from service.routes import Handler, routes
from service.shadow import Shadow


def create_admin_app(desk: Desk) -> Starlette:
    """The application of a worker's admin port.

    It has the routes of the API too, through the same desk, because the page calls them from where it is.
    """
    return bounded_app(desk, [*admin_routes(desk), *routes(desk)])


def admin_routes(desk: Desk) -> list[Route]:
    """What only the admin port answers; these stand before the routes of the API."""
    page = _page(desk)
    return [
        Route("/", page),
        Route("/docs", page),
        Route("/metrics", _metrics(desk)),
        *([] if desk.shadow is None else [Route("/v1/shadow", _shadow(desk, desk.shadow))]),
    ]


def _metrics(desk: Desk) -> Handler:
    async def show(request: Request) -> Response:
        desk.admit_operator(request)
        return Response(desk.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return show


def _shadow(desk: Desk, shadow: Shadow) -> Handler:
    async def show(request: Request) -> Response:
        desk.admit_operator(request)
        return json_response(shadow.summary())

    return show


def _page(desk: Desk) -> Handler:
    async def show(request: Request) -> Response:
        page = desk.held.current.made.page
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
        content = page.html(request.headers.get("host", ""), asks_for_key=desk.access.asks)
        return Response(content, 200, headers, "text/html")

    return show
