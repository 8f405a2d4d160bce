"""What stands between a request and an answer that leaves: who asks, which pack answers, and the record of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from starlette.requests import Request

from model.answer import Answer
from service.access.access import Access
from service.access.caller import Caller
from service.access.credential import authorization
from service.access.scope import Scope
from service.access.settings import is_loopback
from service.audit.record import Caller as Recorded
from service.audit.record import Entry, Outcome
from service.audit.store import AuditUnavailable
from service.audit.trail import NoTrail, Trail
from service.held_pack import HeldPack
from service.hosts import AllowedHosts
from service.idempotency.once import Once
from service.idempotency.store import Store
from service.metrics.codes import ENDPOINTS
from service.metrics.metrics import Metrics
from service.metrics.serving_state import ServingState
from service.problem import SECONDS_TO_RETRY, Unanswered, unavailable, unrecorded
from service.readiness import Readiness, readiness
from service.rendered import Rendered
from service.shadow import Shadow
from service.traces.traces import NoTraces, Traces


@dataclass(frozen=True, slots=True)
class Kept:
    """What is recorded of one answer: its outcome, codes without values, and what leaves of it.

    ``sent`` are the bytes that it answers, where those are not the whole body. ``answer`` and ``lacking`` are
    counted and not recorded: the answer, and the quantities that the model takes and the record has not.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    output: bytes | None = None
    position: int | None = None  # in a batch
    answer: Answer | None = None
    lacking: tuple[str, ...] = ()
    sent: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """Of one worker."""

    held: HeldPack[Rendered]
    access: Access
    trail: Trail
    shadow: Shadow | None = None
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=NoTraces)
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    once: Once = field(default_factory=lambda: Once(Store(None), NoTrail()))

    def __post_init__(self) -> None:
        self.metrics.watch(ServingState(self.held, self.trail, self.shadow, self.readiness))

    def readiness(self) -> Readiness:
        """Whether somebody can be answered now."""
        return readiness(self.trail, self.access, time.time())

    def admit(self, request: Request, scope: Scope) -> Caller:
        """Who asks, if they may.

        Raises:
            Unanswered: 401, 403, 429, or 503 where nobody can be known; see `Access.admit`. Callers that are not
                asked who they are are answered only where they came to a loopback address, whatever server listens.
        """
        caller = self.access.admit(authorization(request.scope["headers"]), scope, time.time())
        if caller.kind == "open":
            server = request.scope.get("server")
            if server is None or not is_loopback(str(server[0])):
                reason = "answers only this machine, because TREGCAST_AUTH is off"
                raise Unanswered(unavailable(reason, SECONDS_TO_RETRY))
        request.state.caller = caller.id
        return caller

    def admit_operator(self, request: Request) -> None:
        """Let through who may read how the service does: who came to a loopback address, or has scope ``admin``.

        Raises:
            Unanswered: see `admit`.
        """
        server = request.scope.get("server")
        if server is None or not is_loopback(str(server[0])):
            self.admit(request, "admin")

    async def keep(self, request: Request, caller: Caller, pack_id: str, sent: bytes, kept: Sequence[Kept]) -> None:
        """Return when all of it is recorded, and counted; nothing leaves before.

        Raises:
            Unanswered: 503, it cannot be recorded.
        """
        request.state.pack = pack_id
        whole = self.trail.digest(sent)
        request_id, who = request.state.request_id, Recorded(caller.id, caller.kind)
        entries = [
            Entry(
                request_id,
                who,
                pack_id,
                whole if each.sent is None else self.trail.digest(each.sent),
                each.outcome,
                each.codes,
                each.output,
                each.position,
            )
            for each in kept
        ]
        started = perf_counter()
        try:
            with self.traces.part(request.scope, "record"):
                await self.trail.record(entries)
        except AuditUnavailable:
            self.metrics.unrecorded()
            raise Unanswered(unrecorded()) from None
        if self.trail.on:
            self.metrics.recorded(perf_counter() - started)
        endpoint = ENDPOINTS[request.scope["route"].path]
        for each in kept:
            self.metrics.answers.answered(endpoint, each.outcome, each.codes, each.answer, each.lacking)
        outcomes = {each.outcome for each in kept}
        request.state.outcome = outcomes.pop() if len(outcomes) == 1 else "mixed"

    def close(self) -> None:
        """Let go of stores and threads; what waits is recorded first."""
        self.once.close()
        self.trail.close()
        self.access.close()
        self.traces.close()
