"""The server that ``tregcast serve`` starts: uvicorn on the BentoML service's application, in this process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn

from service.access.settings import refuse_open
from service.bento import UNUSABLE, application, end
from service.configuration import read_configuration
from service.protocol import BoundedProtocol
from service.settings import Settings, Unusable

CANNOT_LISTEN = 1  # exit code
SECONDS_TO_FINISH = 10  # requests in flight, after SIGTERM
SECONDS_IDLE = 5  # of a kept connection


def serve(pack_folder: Path, host: str, port: int, *, pack_id: str | None = None) -> None:
    """Serve a pack until SIGTERM or SIGINT.

    Args:
        pack_folder: the pack.
        host: address to listen on.
        port: 0 takes a free one, which the line on stdout names.
        pack_id: the id that the pack must have, where it is known.

    Raises:
        SystemExit: 2 where the environment's settings cannot be used, or nobody is asked who they are and the
            address is not a loopback one; 3 where the pack is refused; 1 where the address cannot be listened on;
            stderr says why.
    """
    try:
        configuration = read_configuration(os.environ, Settings(pack_folder, pack_id))
        refuse_open(host, configuration.access)
    except Unusable as error:
        end(UNUSABLE, str(error))
    app = application(configuration)
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=SECONDS_IDLE,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    with listener:
        _Server(config).run([listener])


class _Server(uvicorn.Server):
    """Says on stdout when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            print(f"Tregcast is ready on http://{_address(sockets[0])}", flush=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        words = f"cannot listen on {host} port {port}: {error.strerror or error}"
        end(CANNOT_LISTEN, words)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
