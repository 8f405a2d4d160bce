"""Spans of a real server in a real collector, and a server whose collector is not there."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.pack import Pack
from tests.servers import free_port
from tests.service.conftest import ROOT, SERVE, WARNINGS, Server, await_line, environment, start, stop
from tests.service.test_log import MEASURED, NUMBER, TEXT, send_canaries
from tests.service.traces.collector import Collector, attributes, collector

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'tregcast[otlp]'")
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, INTERNAL, ERROR = 2, 1, 2  # of the protocol
KEYS = {
    *("http.request.method", "http.route", "http.response.status_code"),
    *("tregcast.request_id", "tregcast.outcome", "tregcast.pack"),
}


@pytest.fixture(scope="module")
def collected() -> Iterator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def traced(collected: Collector, pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("traced")
    command = [sys.executable, *WARNINGS, "-c", SERVE, str(pack_folder), "0"]
    settings = environment(folder, TREGCAST_OTLP_ENDPOINT=collected.url, OTEL_BSP_SCHEDULE_DELAY="200")
    process = start(command, folder / "output", settings, ROOT)
    try:
        line = await_line(process, folder / "output", "Tregcast is ready on ")
        pages = await_line(process, folder / "output", "Tregcast's pages are on ")
        yield Server(line.split()[4], pages.split()[4], process, folder / "output")
    finally:
        stop(process)


def ask(server: Server, path: str, body: object, **headers: str) -> httpx.Response:
    return httpx.post(server.url + path, json=body, headers=headers, timeout=20, trust_env=False)


def test_a_request_has_a_span_with_its_parts(
    traced: Server, collected: Collector, pack: Pack, record: dict[str, Any]
) -> None:
    response = ask(traced, "/v1/predict", record, traceparent=f"00-{TRACE}-{PARENT}-01")
    request_id = response.headers["x-request-id"]
    [span] = collected.await_spans(lambda span: attributes(span).get("tregcast.request_id") == request_id)
    assert (span.name, span.kind) == ("POST /v1/predict", SERVER)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/v1/predict",
        "http.response.status_code": 200,
        "tregcast.request_id": request_id,
        "tregcast.outcome": response.json()["outcome"],
        "tregcast.pack": pack.id,
    }
    parts = collected.await_spans(lambda part: part.parent_span_id == span.span_id, 3)
    assert [part.name for part in sorted(parts, key=lambda part: part.start_time_unix_nano)] == [
        *("read", "predict", "record")
    ]
    assert all(span.start_time_unix_nano <= part.start_time_unix_nano for part in parts)
    assert all(part.end_time_unix_nano <= span.end_time_unix_nano for part in parts)
    assert collected.paths == {"/v1/traces"}
    assert collected.resources[0]["service.name"] == "tregcast"


def test_a_caller_that_does_not_sample_is_heeded_and_a_wrong_header_is_not(
    traced: Server, collected: Collector, record: dict[str, Any]
) -> None:
    unsampled = ask(traced, "/v1/predict", record, traceparent=f"00-{TRACE}-{PARENT}-00")
    wrong = ask(traced, "/v1/predict", record, traceparent=f"00-{TEXT}-{PARENT}-01")
    request_id = wrong.headers["x-request-id"]
    [span] = collected.await_spans(lambda span: attributes(span).get("tregcast.request_id") == request_id)
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE
    told = {attributes(span).get("tregcast.request_id") for span in collected.spans}
    assert unsampled.headers["x-request-id"] not in told


def test_nothing_that_was_sent_is_in_them(traced: Server, collected: Collector, record: dict[str, Any]) -> None:
    with httpx.Client(base_url=traced.url, timeout=10, trust_env=False) as client:
        send_canaries(client, record)
        client.get(
            "/v1/model",
            headers={
                "tracestate": f"{TEXT.lower()}={TEXT}",
                "baggage": f"{TEXT}={NUMBER}",
                "traceparent": f"00-{TRACE}-{PARENT}-01",
            },
        )
        last = client.get("/v1/schema").headers["x-request-id"]
    collected.await_spans(lambda span: attributes(span).get("tregcast.request_id") == last)
    for canary in (TEXT, TEXT.lower(), str(NUMBER), str(MEASURED)):
        assert not [body for body in collected.raw if canary.encode() in body]
    spans = [span for span in collected.spans if span.kind == SERVER]
    assert {key for span in spans for key in attributes(span)} <= KEYS
    assert "GET none" in {span.name for span in spans}
    assert all(not span.events and not span.trace_state and not span.status.message for span in collected.spans)
    assert {span.kind for span in collected.spans} == {SERVER, INTERNAL}


def test_without_a_collector_it_answers_ends_in_time_and_says_one_line(
    launcher: Any, pack_folder: Path, record: dict[str, Any]
) -> None:
    command = [sys.executable, *WARNINGS, "-c", SERVE, str(pack_folder), "0"]
    settings = {"TREGCAST_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    process, output = launcher.run(command, **settings)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in output.read_text("utf-8").splitlines() if line[0] == "{"]

    until = time.monotonic() + 40
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        while "traces_not_sent" not in events():
            assert client.post("/v1/predict", json=record).status_code == 200
            assert time.monotonic() < until
            time.sleep(0.05)
        told = time.monotonic()
        while time.monotonic() < told + 8:  # another batch fails meanwhile
            assert client.post("/v1/predict", json=record).status_code == 200
            time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    process.wait(20)
    assert time.monotonic() - started < 10
    assert events().count("traces_not_sent") == 1
    assert not [event for event in events() if event.startswith("library opentelemetry")]
    assert events()[-1] == "stopped"


@pytest.mark.parametrize(
    "endpoint",
    [
        *(
            "",
            "collector:4318",
            "ftp://collector",
            "http://",
            "http://me:SECRET@collector",
            "http://collector/?a=SECRET",
        ),
        *("http://collector:99999", "http://collector/#SECRET", "http://a collector", "https://@collector"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_the_start(
    launcher: Any, pack_folder: Path, endpoint: str
) -> None:
    command = [sys.executable, *WARNINGS, "-c", SERVE, str(pack_folder), "0"]
    process, output = launcher.run(command, TREGCAST_OTLP_ENDPOINT=endpoint)
    assert process.wait(40) == 2
    said = output.read_text("utf-8")
    assert "TREGCAST_OTLP_ENDPOINT is not an http or https address" in said
    assert "SECRET" not in said


def test_where_it_is_not_set_nothing_that_sends_is_imported(launcher: Any) -> None:
    code = (
        "import sys, service.bento; from service.traces.traces import open_traces; open_traces(None, version='0')"
    )
    says = (
        "print('none of it' if not [m for m in sys.modules if m.startswith('opentelemetry.exporter')] else 'some')"
    )
    process, output = launcher.run([sys.executable, *WARNINGS, "-c", f"{code}; {says}"])
    assert process.wait(40) == 0
    assert output.read_text("utf-8").strip() == "none of it"
