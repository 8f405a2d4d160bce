"""The server that ``tregcast serve`` starts: one worker in this process, or several under it."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from service.access.settings import refuse_open
from service.bento import UNUSABLE, end
from service.configuration import read_configuration
from service.early_end import BEFORE_THE_END
from service.hosts import with_host
from service.listener import bound
from service.settings import HOST, Settings, Unusable
from service.start_checks import refuse_unusable
from service.tls import Tls
from service.worker import CANNOT_LISTEN, answer
from service.workers import Workers


def serve(
    pack_folder: Path,
    host: str,
    port: int,
    *,
    pack_id: str | None = None,
    admin_host: str = HOST,
    admin_port: int = 0,
    workers: int = 1,
) -> None:
    """Serve a pack until SIGTERM or SIGINT.

    Args:
        pack_folder: the pack.
        host: address to listen on.
        port: 0 takes a free one, which the last line on stdout names.
        pack_id: the id that the pack must have, where it is known.
        admin_host: address of the admin ports.
        admin_port: of the first worker, the others have those after it; 0 takes free ones. Stdout names them.
        workers: processes that answer; 1 is this one.

    Raises:
        SystemExit: 0 after SIGTERM or SIGINT to several workers; 2 where the environment's settings cannot be used,
            or nobody is asked who they are and an address is not a loopback one; 3 where the pack is refused; 1
            where an address cannot be listened on; stderr says why.
    """
    try:
        configuration = read_configuration(os.environ, Settings(pack_folder, pack_id))
        refuse_open(host, configuration.access)
        refuse_open(admin_host, configuration.access)
        refuse_unusable(configuration)
        configuration = replace(configuration, hosts=with_host(configuration.hosts, (host, admin_host)))
        tls = None if configuration.tls is None else Tls(configuration.tls)
    except Unusable as error:
        end(UNUSABLE, str(error))
    with ExitStack() as bound_ones:
        if configuration.idempotency is None:
            folder = TemporaryDirectory(prefix="tregcast-")
            bound_ones.callback(folder.cleanup)
            BEFORE_THE_END.append(folder.cleanup)
            configuration = replace(configuration, idempotency=Path(folder.name) / "idempotency")
        listener = bound_ones.enter_context(_bound(host, port))
        ports = [admin_port + number if admin_port else 0 for number in range(workers)]
        admin = [bound_ones.enter_context(_bound(admin_host, each)) for each in ports]
        if workers == 1:
            answer(configuration, listener, admin[0], tls=tls)
        else:
            Workers(configuration, listener, admin, tls).run()


def _bound(host: str, port: int) -> socket.socket:
    try:
        return bound(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        end(CANNOT_LISTEN, f"cannot listen on {host} port {port}: {reason}")
