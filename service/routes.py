"""What the service answers at each path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.parse import parse_record
from features.strict_json import loads
from features.today import latest_date
from model.answer import Answer, render
from model.predictor import Predictor
from service.body import read_body
from service.documents import vocabulary_document
from service.held_pack import HeldPack
from service.json_response import JSON, json_bytes, json_response
from service.page import CONTENT_SECURITY_POLICY
from service.rendered import Rendered
from service.schema import record_schema

Handler = Callable[[Request], Awaitable[Response]]
Held = HeldPack[Rendered]


def routes(held: Held) -> list[Route]:
    """The routes of a service that answers from the pack that is held at the moment of each request."""
    page = _page(held)
    return [
        Route("/v1/predict", _predict(held), methods=["POST"]),
        Route("/v1/model", _rendered(held, lambda made: made.model)),
        Route("/v1/vocabulary", _fixed(vocabulary_document())),
        Route("/v1/schema", _fixed(record_schema(), "application/schema+json")),
        Route("/openapi.json", _rendered(held, lambda made: made.openapi)),
        Route("/livez", _fixed({"status": "alive"})),
        Route("/readyz", _ready(held)),
        Route("/", page),
        Route("/docs", page),
    ]


def answer_body(predictor: Predictor, body: bytes, *, today: date) -> Answer:
    """The answer to one record as it was sent.

    Raises:
        Rejected: with every problem of the record.
    """
    return predictor.predict(parse_record(loads(body), today=today))


def _predict(held: Held) -> Handler:
    async def predict(request: Request) -> Response:
        body = await read_body(request)
        predictor = held.current.pack.predictor
        answer = answer_body(predictor, body, today=latest_date(datetime.now(UTC)))
        return json_response(render(answer))

    return predict


def _ready(held: Held) -> Handler:
    async def ready(_: Request) -> Response:
        problem = held.problem
        why = {} if problem is None else {"problem": problem}
        return json_response({"status": "ready", "pack": held.current.pack.id, **why})

    return ready


def _rendered(held: Held, of: Callable[[Rendered], bytes]) -> Handler:
    async def document(_: Request) -> Response:
        return Response(of(held.current.made), media_type=JSON)

    return document


def _fixed(value: object, media_type: str = JSON) -> Handler:
    content = json_bytes(value)

    async def fixed(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return fixed


def _page(held: Held) -> Handler:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}

    async def show(request: Request) -> Response:
        page = held.current.made.page
        return Response(page.html(request.headers.get("host", "")), 200, headers, "text/html")

    return show
