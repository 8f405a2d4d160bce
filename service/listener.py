"""Addresses that the service listens on."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

BACKLOG = 2048  # connections that wait to be accepted


def bound(host: str, port: int) -> socket.socket:
    """A socket that has its address, and does not listen yet: who connects before there is a pack is refused.

    Args:
        host: address.
        port: 0 takes a free one.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """The address as it stands in a URL.

    >>> with socket.create_server(("127.0.0.1", 0)) as listener:
    ...     address_of(listener) == f"127.0.0.1:{listener.getsockname()[1]}"
    True
    """
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Announcement:
    """Says on stdout where the service answers, and whether anybody can be answered, when that changes."""

    def __init__(self, listener: socket.socket, admin: Sequence[socket.socket], *, has_certificate: bool) -> None:
        self._place = _url(listener, has_certificate)
        self._admin = [_url(each, has_certificate and speaks_tls(each, is_admin=True)) for each in admin]
        self._said: str | None = None

    def say(self, why: str) -> None:
        """Say it, if it is new: ``why`` nobody can be answered, or nothing."""
        if why == self._said:
            return
        if self._said is None:
            _say(f"Tregcast's pages are on {' '.join(self._admin)}")
        self._said = why
        said = f"not ready on {self._place}: {why}" if why else f"ready on {self._place}"
        _say(f"Tregcast is {said}")


def _say(line: str) -> None:
    """One line in one write: standard error may go to the same file, from another thread."""
    print(f"{line}\n", end="", flush=True)


def speaks_tls(listener: socket.socket, *, is_admin: bool) -> bool:
    """Whether TLS is spoken at an address, where there is a certificate; not at an admin port on loopback."""
    return not (is_admin and ip_address(listener.getsockname()[0]).is_loopback)


def _url(listener: socket.socket, is_tls: bool) -> str:
    return f"{'https' if is_tls else 'http'}://{address_of(listener)}"
