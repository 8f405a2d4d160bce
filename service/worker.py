"""One worker: an event loop that answers on the service's address and on an admin port of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from service import log
from service.admin import create_admin_app
from service.audit.known_head import KnownHead
from service.bento import application, end, open_desk
from service.configuration import Configuration
from service.connection_end import SECONDS_TO_COME, Connections
from service.desk import Desk
from service.held_pack import Verified
from service.listener import BACKLOG, Announcement, address_of, speaks_tls
from service.parent import Parent
from service.protocol import BoundedProtocol
from service.tls import SECONDS_TO_LEAVE, SECONDS_TO_SHAKE_HANDS, Tls

CANNOT_LISTEN = 1  # exit code
SECONDS_TO_FINISH = 10  # requests in flight, after SIGTERM
SECONDS_TO_SETTLE = 3  # for the first look at the audit store and the issuer's keys
SECONDS_IDLE = 5  # of a kept connection
SECONDS_TO_RENEW = 10  # between two looks at the certificate's files
TICKS_A_SECOND = 10  # of uvicorn's main loop


def answer(
    configuration: Configuration,
    listener: socket.socket,
    admin: socket.socket,
    parent: Parent | None = None,
    last: Verified | None = None,
    head: KnownHead | None = None,
    tls: Tls | None = None,
) -> None:
    """Answer until SIGTERM, SIGINT, or the end of the parent.

    Args:
        configuration: of the service.
        listener: bound to the service's address; other workers may share it.
        admin: bound to the admin port of this worker.
        parent: the process that watches this one, if there is one; this one begins when it says so.
        last: the pack to begin with where the one of the configuration is refused.
        head: where the audit trail was seen to end, if other workers share it.
        tls: where the service speaks it.

    Raises:
        SystemExit: 2 where the settings cannot be used, 3 where the pack is refused, 1 where an address cannot be
            listened on; stderr says why.
    """
    log.configure()
    desk = open_desk(configuration, last, head)
    config = _config(application(desk), lifespan="on")
    server = _Server(config, _config(create_admin_app(desk), lifespan="off"), admin, desk, parent, tls)
    server.server_state.metrics = desk.metrics
    if tls is not None:
        desk.metrics.watch(tls)
    if parent is not None:
        parent.say("loaded", desk.held.verified)
        if not parent.await_start():
            desk.close()
            return
    server.run([listener])


def _config(app: ASGIApp, *, lifespan: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on" if lifespan == "on" else "off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=SECONDS_IDLE,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )


class _Server(uvicorn.Server):
    """Listens on two addresses with two applications, says when it does, and ends with exit code 0 when told to."""

    def __init__(
        self,
        config: uvicorn.Config,
        admin_config: uvicorn.Config,
        admin: socket.socket,
        desk: Desk,
        parent: Parent | None,
        tls: Tls | None,
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self.server_state: Connections = Connections()
        self._admin_config = admin_config
        self._admin = admin
        self._desk = desk
        self._ready: bool | None = None
        self._announcement: Announcement | None = None
        self._parent = parent

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Finish what is in flight. The signal is not raised again afterwards, as uvicorn would."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        assert sockets is not None
        try:
            await super().startup([])
            await self._listen(sockets[0], self.config, is_admin=False)
            self._admin_config.load()
            await self._listen(self._admin, self._admin_config, is_admin=True)
        except OSError as error:
            places = f"{address_of(sockets[0])} and {address_of(self._admin)}"
            end(CANNOT_LISTEN, f"cannot listen on {places}: {error.strerror or error}")
        if self._parent is None:
            self._announcement = Announcement(sockets[0], [self._admin], has_certificate=self._tls is not None)
        await self._settle()
        self._tell()

    async def on_tick(self, counter: int) -> bool:
        """Tell the parent what is served, once a second, and end where there is none; renew the certificate."""
        if self._tls is not None and counter % (SECONDS_TO_RENEW * TICKS_A_SECOND) == 0:
            self._tls.renew()
        if self._parent is not None and self._parent.is_gone():
            self.should_exit = True
        if counter % TICKS_A_SECOND == 0 and not self.should_exit:
            self._tell()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take those who have connected already, then listen no more, and finish what is in flight."""
        self.server_state.ending = True
        for listener in sockets or ():
            await self._accept_waiting(listener)
        await super().shutdown(sockets)

    async def _settle(self) -> None:
        """Wait for the first look at what is needed, so that what is said first is true; not for long."""
        until = time.monotonic() + SECONDS_TO_SETTLE
        while not self._desk.readiness().settled and time.monotonic() < until:
            await asyncio.sleep(0.02)

    def _tell(self) -> None:
        """Tell the parent what is served, or say it on stdout; log when nobody can be answered any more."""
        found = self._desk.readiness()
        if self._parent is not None:
            self._parent.say("serving", self._desk.held.verified, found.why)
        if self._announcement is not None:
            self._announcement.say(found.why)
        if found.ready != self._ready and (self._ready is not None or not found.ready):
            parts = ",".join(each.part for each in found.troubles)
            if found.ready:
                log.write(logging.INFO, "ready")
            else:
                log.write(logging.ERROR, "not_ready", problem=parts)
        self._ready = found.ready

    async def _listen(self, listener: socket.socket, config: uvicorn.Config, *, is_admin: bool) -> None:
        loop = asyncio.get_running_loop()
        how = self._ssl(SECONDS_TO_SHAKE_HANDS) if speaks_tls(listener, is_admin=is_admin) else {}
        server = await loop.create_server(lambda: self._protocol(config), sock=listener, backlog=BACKLOG, **how)
        self.servers.append(server)

    def _ssl(self, seconds: float) -> dict[str, Any]:
        """What makes a connection one over TLS, where that is spoken."""
        if self._tls is None:
            return {}
        timeouts = {"ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": SECONDS_TO_LEAVE}
        return {"ssl": self._tls.context, **timeouts}

    async def _accept_waiting(self, listener: socket.socket) -> None:
        """Those in the queue of the listener would be reset when the last worker closes it."""
        loop = asyncio.get_running_loop()
        how = self._ssl(SECONDS_TO_COME)
        taken = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # nobody waits
                break
            taken.append(loop.connect_accepted_socket(lambda: self._protocol(self.config), connection, **how))
        await asyncio.gather(*taken, return_exceptions=True)  # whose hands cannot be shaken is gone

    def _protocol(self, config: uvicorn.Config) -> BoundedProtocol:
        return BoundedProtocol(config=config, server_state=self.server_state, app_state=self.lifespan.state)
