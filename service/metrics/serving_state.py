"""What a worker serves at the moment of a scrape: its pack, whether it is ready, and its audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from service.audit.trail import Trail
from service.held_pack import HeldPack
from service.metrics.codes import SWAP_PROBLEMS
from service.readiness import PARTS, Readiness
from service.rendered import Rendered
from service.shadow import Shadow


class ServingState:
    """A collector that reads; nothing has to be told to it."""

    def __init__(
        self, held: HeldPack[Rendered], trail: Trail, shadow: Shadow | None, ready: Callable[[], Readiness]
    ) -> None:
        self._held = held
        self._trail = trail
        self._shadow = shadow
        self._readiness = ready

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        loaded, problem = self._held.current, self._held.problem
        named = loaded.pack.predictor.pack
        pack = GaugeMetricFamily("tregcast_pack_info", "The pack that answers.", labels=["id", "name", "made_by"])
        pack.add_metric([named.id, named.name, named.made_by], 1)
        yield pack
        swap = GaugeMetricFamily(
            "tregcast_swap_problem", "1: why what the pack's path stands for is not served.", labels=["problem"]
        )
        for code in SWAP_PROBLEMS:
            swap.add_metric([code], float(code == problem))
        yield swap
        report = "Whether the report of the pack that answers is there."
        yield GaugeMetricFamily("tregcast_pack_report", report, float(loaded.report is not None))
        troubled = self._trail.problem is not None
        found = self._readiness()
        yield GaugeMetricFamily("tregcast_ready", "Whether somebody can be answered.", float(found.ready))
        words = "1: this part does not work, as /readyz says."
        parts = GaugeMetricFamily("tregcast_trouble", words, labels=["part"])
        for part in PARTS:
            parts.add_metric([part], float(any(each.part == part for each in found.troubles)))
        yield parts
        yield GaugeMetricFamily("tregcast_audit_enabled", "Whether answers are recorded.", float(self._trail.on))
        yield GaugeMetricFamily("tregcast_audit_problem", "Whether nothing can be recorded now.", float(troubled))
        if self._shadow is not None:
            yield from _shadowed(self._shadow)
        waiting = "Records that wait to become durable."
        yield GaugeMetricFamily("tregcast_audit_waiting_records", waiting, self._trail.waiting)


def _shadowed(shadow: Shadow) -> Iterator[Metric]:
    """What a challenger would have answered; the counts begin anew when either pack is swapped."""
    found = shadow.figures
    for name, words, counts in (
        ("tregcast_shadow_outcomes", "Records by what the two packs say.", found.outcomes),
        ("tregcast_shadow_bands", "Predictions by the bands of the two rates.", found.bands),
    ):
        family = CounterMetricFamily(name, words, labels=["champion", "challenger"])
        for pair, count in counts.items():
            family.add_metric(pair, count)
        yield family
    dropped = "Records not scored: there was no challenger, or too many waited."
    yield CounterMetricFamily("tregcast_shadow_dropped", dropped, found.dropped)
    yield CounterMetricFamily("tregcast_shadow_faults", "Records that the challenger failed on.", found.faults)
    yield CounterMetricFamily("tregcast_shadow_compared", "Records that both gave a rate.", found.count)
    total = "Challenger's rates minus the champion's, summed over the records compared, in points/month."
    yield GaugeMetricFamily("tregcast_shadow_difference_sum", total, found.sum)
    troubled = "Whether the challenger is not what its path stands for."
    yield GaugeMetricFamily("tregcast_shadow_problem", troubled, float(shadow.problem is not None))
