"""What one worker counts: requests, answers, why there was none, and what predictions look like."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from features.version import VERSION
from features.vocabulary import vocabulary
from model.answer import Abstention, Answer, Prediction
from model.distribution import band_of
from model.predictor import BANDS
from service.audit.record import OUTCOMES, Outcome
from service.metrics.codes import CAUTIONS, ENDPOINTS, OTHER, REASONS, REFUSED_CALLERS, RULES
from service.metrics.counts import Counts, Distributions, Key

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RATES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)  # points/month; the bands' limits among them
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)  # points/month


class Metrics:
    """The counts of one worker; all of it but `text` is called in the thread of the event loop.

    No value that a caller sent is kept, and none becomes a label: each label has a closed set of values
    (`service.metrics.codes`, the vocabulary, the routes). What-ifs are left out of what predictions look like: a
    person who tries values is no patient more.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests = Counts(
            "tregcast_requests", "Requests by method, route and status.", ["method", "route", "status"]
        )
        self._seconds = Distributions(
            "tregcast_request_duration_seconds",
            "From the first byte of a request's head to the last of its answer.",
            SECONDS,
            "route",
            (),
        )
        self._refused = Counts(
            "tregcast_refused_callers",
            "Requests of callers that are not known (401), may not (403) or ask too often (429).",
            ["status"],
            [(status,) for status in REFUSED_CALLERS],
        )
        answered = [(endpoint, outcome) for endpoint in ENDPOINTS.values() for outcome in OUTCOMES]
        self._answers = Counts(
            "tregcast_answers",
            "Records by outcome; unavailable counts requests.",
            ["endpoint", "outcome"],
            answered,
        )
        self._reasons = _codes("tregcast_abstentions", "Records not answered, by reason.", "reason", REASONS)
        self._cautions = _codes("tregcast_cautions", "Predictions with a caution.", "code", CAUTIONS)
        self._rules = _codes("tregcast_rejections", "Rejected records by the rule they break.", "rule", RULES)
        self._lacking = Counts(
            "tregcast_missing_quantities",
            "Records understood that lack a quantity which the model takes.",
            ["quantity"],
            [(name,) for name in vocabulary().quantities],
        )
        self._rates = Distributions(
            "tregcast_predicted_rate_points_per_month", "Predicted progression rates; positive is decline.", RATES
        )
        self._widths = Distributions(
            "tregcast_interval_width_points_per_month", "Widths of the prediction intervals.", WIDTHS
        )
        self._bands = Counts(
            "tregcast_predicted_bands",
            "Predictions by the band of their rate.",
            ["band"],
            [(band,) for band in BANDS],
        )
        self._recorded = Distributions(
            "tregcast_audit_record_duration_seconds", "Until the records of a request were durable.", SECONDS
        )
        self._unrecorded = Counts(
            "tregcast_audit_failures", "Requests whose records could not be made durable.", known=[()]
        )
        self._registry = CollectorRegistry()
        for collector in (
            *(self._requests, self._seconds, self._refused, self._answers, self._reasons, self._cautions),
            *(self._rules, self._lacking, self._rates, self._widths, self._bands),
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
            self._answers.by[ENDPOINTS[path], "unavailable"] += 1

    def answered(
        self, endpoint: str, outcome: Outcome, codes: Sequence[str], answer: Answer | None, lacking: Sequence[str]
    ) -> None:
        """Count a record that is answered or rejected.

        Args:
            endpoint: one of `ENDPOINTS`. outcome: one of the five.
            codes: of its rules, reasons or cautions.
            answer: what was answered, if it was understood.
            lacking: the quantities that the model takes and the record has not.
        """
        self._answers.by[endpoint, outcome] += 1
        if answer is None:
            _add_codes(self._rules, codes)
            return
        _add_codes(self._reasons if isinstance(answer, Abstention) else self._cautions, codes)
        if endpoint == "whatif":
            return
        by = self._lacking.by
        for name in lacking:
            by[name,] += 1
        if isinstance(answer, Prediction):
            self._predicted(answer)

    def recorded(self, seconds: float) -> None:
        """Count records that became durable together."""
        self._recorded.of().add(seconds)

    def unrecorded(self) -> None:
        """Count a request whose records did not become durable."""
        self._unrecorded.by[()] += 1

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus. Any thread may call."""
        return generate_latest(self._registry)

    def _predicted(self, answer: Prediction) -> None:
        rate, interval = answer.progression_rate, answer.prediction_interval
        self._rates.of().add(rate)
        self._widths.of().add(interval.upper - interval.lower)
        self._bands.by[BANDS[int(band_of(rate))],] += 1


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


def _codes(name: str, words: str, label: str, known: Sequence[str]) -> Counts:
    return Counts(name, words, [label], [(code,) for code in (*known, OTHER)])


def _add_codes(counts: Counts, codes: Sequence[str]) -> None:
    by = counts.by
    for code in codes:
        by[(code,) if (code,) in by else (OTHER,)] += 1


def _add(counts: Counts, key: Key) -> None:
    counts.by[key] = counts.by.get(key, 0) + 1
