"""The BentoML service `Tregcast`: our one application, mounted, and nothing of BentoML's own within reach.

``bentoml serve`` and `service.server` both start it. Why it is built like this:
``docs/decisions/0004-one-asgi-app-in-bentoml.md``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NoReturn, cast

# BentoML reads this once, and its command has done so by now: no word of a hospital's machine leaves it.
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

import bentoml
from bentoml._internal.utils.analytics import usage_stats
from starlette.types import ASGIApp, Receive, Scope, Send

from features.reference_rule import use_pattern
from features.version import VERSION
from model.pack import Refused
from service import log
from service.access.access import Access
from service.app import create_app
from service.audit.known_head import KnownHead
from service.audit.trail import open_trail
from service.configuration import Configuration, read_configuration
from service.desk import Desk
from service.held_pack import HeldPack, Verified
from service.idempotency.once import Once
from service.idempotency.settings import is_beside
from service.idempotency.store import Store
from service.rendered import Rendered, rendered
from service.settings import HOST, PORT, Settings, Unusable
from service.shadow import Shadow
from service.start_checks import refuse_unusable
from service.tls import CERTIFICATE
from service.traces.traces import open_traces

usage_stats.do_not_track.cache_clear()

UNUSABLE, REFUSED = 2, 3  # exit codes


class Front:
    """ASGI: start and stop go to BentoML's application, every request to ours."""

    def __init__(self, ours: ASGIApp, bentoml_app: ASGIApp) -> None:
        self._ours = ours
        self._bentoml_app = bentoml_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        app = self._bentoml_app if scope["type"] == "lifespan" else self._ours
        await app(scope, receive, send)


class OneAppService(bentoml.Service):  # type: ignore[misc]
    """A BentoML service whose application is ours.

    The ``desk`` is that of the environment's configuration unless it is set before `to_asgi` is called.
    """

    desk: Desk | None = None

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The application of one worker: loads the pack, and ends the process if the pack is refused."""
        log.configure()
        app = create_app(self.desk or open_desk())
        self.mount_apps.clear()
        self.mount_asgi_app(app, path="/")
        return Front(app, super().to_asgi(is_main))


def open_desk(
    configuration: Configuration | None = None, last: Verified | None = None, head: KnownHead | None = None
) -> Desk:
    """All that a worker answers with, by this configuration or else the environment's.

    Args:
        configuration: which pack, who may call, where answers are recorded.
        last: the pack to begin with where that of the configuration is refused.
        head: where the audit trail was seen to end, shared by the workers of a service.

    Raises:
        SystemExit: 2 where the settings cannot be used, 3 where the pack is refused; stderr says why.
    """
    known = configuration or _read(os.environ)
    use_pattern(known.reference_pattern)
    held = open_pack(known.serving, last)
    try:
        traces = open_traces(known.traces, version=VERSION)
        trail = open_trail(known.audit, made_by=f"tregcast {VERSION}", known=head)
        shadow = None if known.shadow is None else Shadow(known.shadow)
        later = is_beside(known.idempotency, known.audit)
        once = Once(Store(known.idempotency, may_come_later=later), trail)
        return Desk(held, Access(known.access), trail, shadow, traces=traces, hosts=known.hosts, once=once)
    except Unusable as error:
        end(UNUSABLE, str(error))


def _read(environment: Mapping[str, str]) -> Configuration:
    try:
        found = read_configuration(environment)
        if found.tls is not None:
            remedy = "give it --ssl-certfile and --ssl-keyfile, or start `tregcast serve`"
            raise Unusable(f"{CERTIFICATE} has no effect under `bentoml serve`; {remedy}")
    except Unusable as error:
        end(UNUSABLE, str(error))
    return found


def open_pack(known: Settings, last: Verified | None = None) -> HeldPack[Rendered]:
    """The verified pack of these settings, held and not yet watched.

    Raises:
        SystemExit: 3 where the pack is refused; stderr says why.
    """
    if last is None and not known.pack.is_dir():
        end(REFUSED, f"there is no pack in {known.pack}; `tregcast pull` places one, or set TREGCAST_PACK")
    try:
        return HeldPack(known.pack, rendered, pack_id=known.pack_id, last=last)
    except Refused as error:
        end(REFUSED, f"the pack in {known.pack} is refused: {error}")


def end(code: int, words: str) -> NoReturn:
    """Say on stderr why the service does not start, and end the process."""
    print(f"Tregcast does not start: {words}", file=sys.stderr, flush=True)
    raise SystemExit(code)


@bentoml.service(
    service_class=OneAppService,
    name="tregcast",
    workers=1,
    http={"host": HOST, "port": PORT},
    metrics={"enabled": False},  # memory-mapped files: a full disk would kill the workers
    logging={"access": {"enabled": False}},  # it writes paths as sent
    tracing={"excluded_urls": ".*"},
)
class Tregcast:
    """How fast a person with ALS will progress, how sure that is, and why."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def verify() -> None:
        """Refuse a bad pack in the parent process of ``bentoml serve``, which else respawns workers for ever."""
        configuration = _read(os.environ)
        open_pack(configuration.serving)
        try:
            refuse_unusable(configuration)
        except Unusable as error:
            end(UNUSABLE, str(error))


def application(desk: Desk) -> ASGIApp:
    """The application of `Tregcast` at this desk; BentoML's own workers open one by the environment."""
    service = cast(OneAppService, Tregcast)
    service.desk = desk
    return service.to_asgi(is_main=True)
