"""One worker: an event loop that answers on the service's address and on an admin port of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from service import log
from service.admin import create_admin_app
from service.bento import application, end, open_desk
from service.configuration import Configuration
from service.connection_end import Connections
from service.held_pack import HeldPack, Verified
from service.listener import BACKLOG, address_of, say_ready
from service.parent import Parent
from service.protocol import BoundedProtocol
from service.rendered import Rendered

CANNOT_LISTEN = 1  # exit code
SECONDS_TO_FINISH = 10  # requests in flight, after SIGTERM
SECONDS_IDLE = 5  # of a kept connection
TICKS_A_SECOND = 10  # of uvicorn's main loop


def answer(
    configuration: Configuration,
    listener: socket.socket,
    admin: socket.socket,
    parent: Parent | None = None,
    last: Verified | None = None,
) -> None:
    """Answer until SIGTERM, SIGINT, or the end of the parent.

    Args:
        configuration: of the service.
        listener: bound to the service's address; other workers may share it.
        admin: bound to the admin port of this worker.
        parent: the process that watches this one, if there is one; this one begins when it says so.
        last: the pack to begin with where the one of the configuration is refused.

    Raises:
        SystemExit: 2 where the settings cannot be used, 3 where the pack is refused, 1 where an address cannot be
            listened on; stderr says why.
    """
    log.configure()
    desk = open_desk(configuration, last)
    config = _config(application(desk), lifespan="on")
    server = _Server(config, _config(create_admin_app(desk), lifespan="off"), admin, desk.held, parent)
    server.server_state.metrics = desk.metrics
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
        held: HeldPack[Rendered],
        parent: Parent | None,
    ) -> None:
        super().__init__(config)
        self.server_state: Connections = Connections()
        self._admin_config = admin_config
        self._admin = admin
        self._held = held
        self._parent = parent

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Finish what is in flight. The signal is not raised again afterwards, as uvicorn would."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        assert sockets is not None
        try:
            await super().startup(sockets)
            await self._listen_to_admin()
        except OSError as error:
            places = f"{address_of(sockets[0])} and {address_of(self._admin)}"
            end(CANNOT_LISTEN, f"cannot listen on {places}: {error.strerror or error}")
        if self._parent is None:
            say_ready(sockets[0], [self._admin])
        else:
            self._parent.say("serving", self._held.verified)

    async def on_tick(self, counter: int) -> bool:
        """Tell the parent what is served, once a second; end where there is none any more."""
        if self._parent is not None:
            if self._parent.is_gone():
                self.should_exit = True
            elif counter % TICKS_A_SECOND == 0:
                self._parent.say("serving", self._held.verified)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take those who have connected already, then listen no more, and finish what is in flight."""
        self.server_state.ending = True
        for listener in sockets or ():
            await self._accept_waiting(listener)
        await super().shutdown(sockets)

    async def _listen_to_admin(self) -> None:
        config = self._admin_config
        config.load()
        loop = asyncio.get_running_loop()
        self.servers.append(
            await loop.create_server(lambda: self._protocol(config), sock=self._admin, backlog=BACKLOG)
        )

    async def _accept_waiting(self, listener: socket.socket) -> None:
        """Those in the queue of the listener would be reset when the last worker closes it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # nobody waits
                return
            await loop.connect_accepted_socket(lambda: self._protocol(self.config), connection)

    def _protocol(self, config: uvicorn.Config) -> BoundedProtocol:
        return BoundedProtocol(config=config, server_state=self.server_state, app_state=self.lifespan.state)
