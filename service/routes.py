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
from model.pack import Pack
from model.predictor import Predictor
from service.body import read_body
from service.documents import model_document, vocabulary_document
from service.example import make_examples
from service.json_response import JSON, json_bytes, json_response
from service.openapi import openapi_document
from service.page import CONTENT_SECURITY_POLICY, Page
from service.schema import record_schema

Handler = Callable[[Request], Awaitable[Response]]


def routes(pack: Pack) -> list[Route]:
    """The routes of a service that answers from ``pack``. What does not change is rendered here, once."""
    examples = make_examples(pack)
    page = _page(Page(pack, examples.brief))
    return [
        Route("/v1/predict", _predict(pack.predictor), methods=["POST"]),
        Route("/v1/model", _fixed(model_document(pack))),
        Route("/v1/vocabulary", _fixed(vocabulary_document())),
        Route("/v1/schema", _fixed(record_schema(), "application/schema+json")),
        Route("/openapi.json", _fixed(openapi_document(pack, examples))),
        Route("/livez", _fixed({"status": "alive"})),
        Route("/readyz", _fixed({"status": "ready", "pack": pack.id})),
        Route("/", page),
        Route("/docs", page),
    ]


def answer_body(predictor: Predictor, body: bytes, *, today: date) -> Answer:
    """The answer to one record as it was sent.

    Raises:
        Rejected: with every problem of the record.
    """
    return predictor.predict(parse_record(loads(body), today=today))


def _predict(predictor: Predictor) -> Handler:
    async def predict(request: Request) -> Response:
        body = await read_body(request)
        answer = answer_body(predictor, body, today=latest_date(datetime.now(UTC)))
        return json_response(render(answer))

    return predict


def _fixed(value: object, media_type: str = JSON) -> Handler:
    content = json_bytes(value)

    async def fixed(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return fixed


def _page(page: Page) -> Handler:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}

    async def show(request: Request) -> Response:
        return Response(page.html(request.headers.get("host", "")), 200, headers, "text/html")

    return show
