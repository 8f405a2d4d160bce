"""A connection that ended while it was being answered is no fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from service.connection_end import Closing

Ask = Callable[[Any], None]
ASKED: dict[str, Ask] = {
    "write": lambda transport: transport.write(b"HTTP/1.1 200 OK\r\n\r\n"),
    "pause": lambda transport: transport.pause_reading(),
    "resume": lambda transport: transport.resume_reading(),
}


class Accepted(asyncio.Protocol):
    """Keeps the transport of the one connection that comes."""

    def __init__(self, come: asyncio.Future[Any]) -> None:
        self.come = come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.come.set_result(transport)


async def ask_after_the_end(ask: Ask, wrapped: Callable[[Any], Any]) -> None:
    """Ask something of the server's side of a connection that was aborted."""
    loop = asyncio.get_running_loop()
    come: asyncio.Future[Any] = loop.create_future()
    server = await loop.create_server(lambda: Accepted(come), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        transport = wrapped(await asyncio.wait_for(come, 10))
        transport.abort()
        await asyncio.sleep(0.05)
        ask(transport)
    finally:
        writer.close()
        server.close()


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_what_is_asked_after_the_end_is_not_done(ask: Ask) -> None:
    left: list[Any] = []
    uvloop.run(ask_after_the_end(ask, lambda transport: Closing(transport, left.append)))
    assert left == []  # nor is the end decided twice


def test_a_bare_transport_raises() -> None:
    """Why it is wrapped."""
    with pytest.raises(RuntimeError, match="the handler is closed"):
        uvloop.run(ask_after_the_end(ASKED["write"], lambda transport: transport))
