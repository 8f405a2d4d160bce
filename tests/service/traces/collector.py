"""A small collector: takes OTLP over HTTP on a free port of the loopback address, and keeps the spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WITHIN_SECONDS = 30  # batches leave every five seconds


@dataclass
class Collector:
    url: str
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def await_spans(self, wanted: Callable[[Span], bool], count: int = 1) -> list[Span]:
        until = time.monotonic() + WITHIN_SECONDS
        while len(found := [span for span in list(self.spans) if wanted(span)]) < count:
            assert time.monotonic() < until, [span.name for span in self.spans]
            time.sleep(0.05)
        return found


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.raw.append(body)
            found.paths.add(self.path)
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                found.resources.append({each.key: each.value.string_value for each in sent.resource.attributes})
                found.spans += [span for scope in sent.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    found = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
