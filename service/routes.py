"""What the service answers at each path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.problem import Rejected
from features.today import latest_date
from model.answer import Explain
from service.access.caller import Caller
from service.access.scope import Scope
from service.answering import Replies, rejection, reply_to_batch, reply_to_record, reply_to_whatif
from service.body import MOST_BATCH_BYTES, MOST_BYTES, check_head, media_type_of, read_body
from service.deprecation import DEPRECATED, saying_so
from service.desk import Desk
from service.documents import client_document, vocabulary_document
from service.explain import read_explain
from service.held_pack import HeldPack
from service.idempotency.once import idempotency_key
from service.json_response import JSON, NDJSON, SCHEMA_JSON, json_bytes, json_response
from service.problem import Unanswered, idempotency_key_of_a_stream, no_report, not_found, not_ready
from service.rendered import Rendered
from service.schema import record_schema
from service.stream import RecordStream

Handler = Callable[[Request], Awaitable[Response]]
Held = HeldPack[Rendered]

REPORT_POLICY = (  # the report has styles and drawings of its own, and nothing that runs
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def routes(desk: Desk) -> list[Route]:
    """The routes of a service that answers from the pack that is held at the moment of each request."""
    held = desk.held
    record = _answered(desk, "predict", MOST_BYTES, reply_to_record)
    batch = _batch(desk)
    whatif = _answered(desk, "predict", MOST_BYTES, reply_to_whatif)
    posted = {"/v1/predict": record, "/v1/predict/batch": batch, "/v1/whatif": whatif}
    return [
        *(
            Route(path, saying_so(answer, DEPRECATED.get(path)), methods=["POST"])
            for path, answer in posted.items()
        ),
        Route("/v1/model", _rendered(held, lambda made: made.model)),
        Route("/v1/model/report", _report(held)),
        Route("/v1/vocabulary", _fixed(vocabulary_document())),
        Route("/v1/schema", _fixed(record_schema(), SCHEMA_JSON)),
        Route("/schema.json", _fixed(client_document())),
        Route("/openapi.json", _rendered(held, lambda made: made.openapi)),
        Route("/livez", _fixed({"status": "alive"})),
        Route("/readyz", _ready(desk)),
        Route("/", _on_the_admin_port),
        Route("/docs", _on_the_admin_port),
    ]


def _batch(desk: Desk) -> Handler:
    """Many records: one JSON document, or a stream of lines."""
    at_once = _answered(desk, "batch", MOST_BATCH_BYTES, reply_to_batch, NDJSON)

    async def answer(request: Request) -> Response:
        if media_type_of(request.headers.get("content-type", "")) != NDJSON:
            return await at_once(request)
        caller = desk.admit(request, "batch")
        if idempotency_key(request.scope["headers"]) is not None:
            raise Unanswered(idempotency_key_of_a_stream())
        explain = read_explain(request.scope["query_string"])
        check_head(request, NDJSON)
        return RecordStream(desk, request, caller, explain)

    return answer


def _answered(desk: Desk, scope: Scope, most_bytes: int, replies: Replies, *others: str) -> Handler:
    """Who asks, what they sent, the answer, its record; and only then the answer leaves."""

    async def answer(request: Request) -> Response:
        caller = desk.admit(request, scope)
        explain = read_explain(request.scope["query_string"])
        with desk.traces.part(request.scope, "read"):
            body = await read_body(request, most_bytes, *others)
        return await desk.once.answer(request, caller, body, lambda: reply_to(request, caller, body, explain))

    async def reply_to(request: Request, caller: Caller, body: bytes, explain: Explain) -> Response:
        predictor = desk.held.current.pack.predictor
        try:
            with desk.traces.part(request.scope, "predict"):
                reply = await replies(predictor, body, latest_date(datetime.now(UTC)), explain)
        except Rejected as error:
            await desk.keep(request, caller, predictor.pack.id, body, [rejection(error)])
            raise
        await desk.keep(request, caller, predictor.pack.id, body, reply.kept)
        if desk.shadow is None or not reply.answered:
            return Response(reply.content, media_type=JSON)
        after = BackgroundTask(desk.shadow.take, reply.answered)
        return Response(reply.content, media_type=JSON, background=after)

    return answer


def _ready(desk: Desk) -> Handler:
    async def ready(_: Request) -> Response:
        found = desk.readiness()
        named = [(each.part, each.code, each.rule, each.remedy) for each in found.troubles]
        if not found.ready:
            raise Unanswered(not_ready(named))
        problem = desk.held.problem
        why: dict[str, object] = {} if problem is None else {"problem": problem}
        if named:
            why["troubles"] = [{"part": part, "code": code, "rule": rule} for part, code, rule, _ in named]
        return json_response({"status": "ready", "pack": desk.held.current.pack.id, **why})

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


def _report(held: Held) -> Handler:
    headers = {"Content-Security-Policy": REPORT_POLICY, "Referrer-Policy": "no-referrer"}

    async def show(_: Request) -> Response:
        report = held.current.report
        if report is None:
            raise Unanswered(no_report())
        return Response(report, 200, headers, "text/html")

    return show


async def _on_the_admin_port(_: Request) -> Response:
    raise Unanswered(not_found("the pages are on the service's admin port"))
