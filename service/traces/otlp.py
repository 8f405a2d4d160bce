"""Traces over OTLP/HTTP, sent by a thread of their own: no request waits for a collector."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer
from time import monotonic

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from service import log
from service.request_ids import traceparent_of

SECONDS_TO_SEND = 5.0  # a batch, with all tries
SECONDS_TO_CLOSE = 2.0
SECONDS_BETWEEN_LINES = 60.0
SPAN = "span"  # of the request, in the state of its scope


class OtlpTraces:
    """See `service.traces.traces.Traces`. Make it in the process that answers, after any fork: it has a thread."""

    def __init__(self, address: str, *, version: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)  # `_Exporter` says it, once a minute
        self._exporter = _Exporter(OTLPSpanExporter(address, timeout=SECONDS_TO_SEND))
        resource = Resource.create({"service.name": "tregcast", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("tregcast", version)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, scope: Scope) -> None:
        """See `Traces`."""
        context = self._context_of_caller(scope)
        scope["state"][SPAN] = self._tracer.start_span("request", context, SpanKind.SERVER)

    @contextmanager
    def part(self, scope: Scope, name: str) -> Iterator[None]:
        """See `Traces`. An exception leaves no word in the span: it may quote what was sent."""
        request: Span = scope["state"][SPAN]
        span = self._tracer.start_span(name, set_span_in_context(request, Context()))
        try:
            yield
        finally:
            span.end()

    def end(self, scope: Scope, method: str, route: str, status: int) -> None:
        """See `Traces`."""
        state = scope["state"]
        span: Span = state[SPAN]
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "tregcast.request_id": state["request_id"],
                **{f"tregcast.{name}": state[name] for name in ("outcome", "pack") if name in state},
            }
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """See `Traces`."""
        enough = Timer(SECONDS_TO_CLOSE, self._exporter.give_up)
        enough.start()
        self._provider.shutdown()
        enough.cancel()

    def _context_of_caller(self, scope: Scope) -> Context:
        """What ``traceparent`` says, if there is one; ``tracestate`` is free text of the caller and is left out."""
        found = traceparent_of(scope["headers"])
        return Context() if found is None else self._propagator.extract({"traceparent": found}, Context())


class _Exporter(SpanExporter):
    """Sends, and says in the log that it cannot, at most once a minute."""

    def __init__(self, sender: OTLPSpanExporter) -> None:
        self._sender = sender
        self._ended = False
        self._told: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent = not self._ended and self._send(spans)
        if not sent and not self._ended:
            self._tell()
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def give_up(self) -> None:
        """Send nothing more, and let go of what is being sent."""
        if not self._ended:
            self._ended = True
            self._sender.shutdown()

    def shutdown(self) -> None:
        self.give_up()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        return True

    def _send(self, spans: Sequence[ReadableSpan]) -> bool:
        try:
            return bool(self._sender.export(spans) is SpanExportResult.SUCCESS)
        except Exception:  # whatever it is, the next batch is tried
            return False

    def _tell(self) -> None:
        now = monotonic()
        if self._told is None or now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            log.write(logging.WARNING, "traces_not_sent")
