"""What a worker serves at the moment of a scrape: its pack, whether it is ready, and its audit trail."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from service.audit.trail import Trail
from service.held_pack import HeldPack
from service.metrics.codes import SWAP_PROBLEMS
from service.rendered import Rendered


class ServingState:
    """A collector that reads; nothing has to be told to it."""

    def __init__(self, held: HeldPack[Rendered], trail: Trail) -> None:
        self._held = held
        self._trail = trail

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
        yield GaugeMetricFamily("tregcast_ready", "Whether it answers.", float(not troubled))
        yield GaugeMetricFamily("tregcast_audit_enabled", "Whether answers are recorded.", float(self._trail.on))
        yield GaugeMetricFamily("tregcast_audit_problem", "Whether nothing can be recorded now.", float(troubled))
        waiting = "Records that wait to become durable."
        yield GaugeMetricFamily("tregcast_audit_waiting_records", waiting, self._trail.waiting)
