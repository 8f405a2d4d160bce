"""What one worker counts: requests, what became of records, and how long auditing them took."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from features.version import VERSION
from service.metrics.answer_counts import AnswerCounts
from service.metrics.codes import ENDPOINTS, REFUSED_CALLERS
from service.metrics.counts import Counts, Distributions, Key

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counts of one worker; all of it but `text` is called in the thread of the event loop.

    No value that a caller sent is kept, and none becomes a label: each label has a closed set of values
    (`service.metrics.codes`, the vocabulary, the routes).

    Attributes:
        in_flight: requests that are being answered.
        answers: what became of records.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.answers = AnswerCounts()
        words = "Requests by method, route and status."
        self._requests = Counts("tregcast_requests", words, ["method", "route", "status"])
        words = "From the first byte of a request's head to the last of its answer."
        self._seconds = Distributions("tregcast_request_duration_seconds", words, SECONDS, "route", ())
        self._refused = Counts(
            "tregcast_refused_callers",
            "Requests of callers that are not known (401), may not (403) or ask too often (429).",
            ["status"],
            [(status,) for status in REFUSED_CALLERS],
        )
        words = "Until the records of a request were durable."
        self._recorded = Distributions("tregcast_audit_record_duration_seconds", words, SECONDS)
        words = "Requests whose records could not be made durable."
        self._unrecorded = Counts("tregcast_audit_failures", words, known=[()])
        self._registry = CollectorRegistry()
        for collector in (
            *(self._requests, self._seconds, self._refused, self.answers),
            *(self._recorded, self._unrecorded, _Worker(self)),
        ):
            self._registry.register(collector)
        ProcessCollector(namespace="tregcast", registry=self._registry)

    def watch(self, collector: Collector) -> None:
        """Tell at each scrape what this collector says then."""
        self._registry.register(collector)

    def request(self, method: str, route: str, path: str, status: int, seconds: float) -> None:
        """Count a request that has ended.

        Args:
            method: a known one, or ``other``. route: the template, or ``none``.
            path: as it was sent; only compared with the endpoints.
            status: of the answer, 0 or 499 where nobody was there to get one.
            seconds: that it took.
        """
        _add(self._requests, (method, route, status))
        self._seconds.of(route).add(seconds)
        if status in REFUSED_CALLERS:
            self._refused.by[status,] += 1
        elif status == 503 and path in ENDPOINTS:
            self.answers.unavailable(ENDPOINTS[path])

    def recorded(self, seconds: float) -> None:
        """Count records that became durable together."""
        self._recorded.of().add(seconds)

    def unrecorded(self) -> None:
        """Count a request whose records did not become durable."""
        self._unrecorded.by[()] += 1

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus. Any thread may call."""
        return generate_latest(self._registry)


class _Worker:
    """Which program this is, and how many requests it has at the moment."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._versions = (VERSION, platform.python_version())

    def collect(self) -> Iterator[Metric]:
        in_flight = self._metrics.in_flight
        yield GaugeMetricFamily("tregcast_requests_in_flight", "Requests that are being answered.", in_flight)
        build = GaugeMetricFamily("tregcast_build_info", "Which program this is.", labels=["version", "python"])
        build.add_metric(self._versions, 1)
        yield build


def _add(counts: Counts, key: Key) -> None:
    counts.by[key] = counts.by.get(key, 0) + 1
