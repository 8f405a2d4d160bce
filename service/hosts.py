"""The names by which the service may be asked: what ``Host`` may say.

A page of a stranger can point a name of its own at this machine's address (DNS rebinding), and the reader's browser
then asks in good faith. ``Host`` still has the stranger's name.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

from service.settings import Unusable

VARIABLE = "TREGCAST_ALLOWED_HOSTS"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
_RULE = "is not a host's name or address, with a port or without"
_REMEDY = "set such as tregcast.hospital.example or 10.1.2.3:3000, with spaces between"


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Which hosts may be asked for; ``named`` are those of the settings, in small letters, with or without a port.

    Beside them: on a connection that came to a loopback address, this machine's local names, with any port. On one
    that came to another address: these, the machine's own name, and every IP address, because only a name can be
    rebound.

    >>> hosts = AllowedHosts(frozenset({"tregcast.hospital.example", "ward7:3000"}))
    >>> [hosts.allow(host, "127.0.0.1") for host in ("localhost:8080", "[::1]:3000", "10.1.2.3", "rebound.example")]
    [True, True, False, False]
    >>> [hosts.allow(host, "10.1.2.3") for host in ("10.1.2.3", "172.17.0.1:3000", "rebound.example")]
    [True, True, False]
    >>> [hosts.allow(host, "127.0.0.1") for host in ("Tregcast.hospital.example:443", "ward7:3000", "ward7", "a b")]
    [True, True, False, False]
    """

    named: frozenset[str] = frozenset()

    def allow(self, host: str, address: str | None) -> bool:
        """Whether a request may ask for this host.

        Args:
            host: the value of ``Host``, or the authority of an absolute target.
            address: of this machine, to which the connection came; None where there is none.
        """
        parts = _AUTHORITY.fullmatch(host)
        if parts is None:
            return False
        name = (parts["six"] or parts["name"]).lower()
        bare = f"[{name}]" if parts["six"] else name
        if name in LOCAL or bare in self.named:
            return True
        if parts["port"] is not None and f"{bare}:{parts['port']}" in self.named:
            return True
        return address is not None and not _is_loopback(address) and (_is_address(name) or name in _own_names())


def read_allowed_hosts(environment: Mapping[str, str]) -> AllowedHosts:
    """The hosts of an environment.

    Raises:
        Unusable: naming every word that is no host.

    >>> sorted(read_allowed_hosts({"TREGCAST_ALLOWED_HOSTS": "Ward7:3000, tregcast.example"}).named)
    ['tregcast.example', 'ward7:3000']
    >>> read_allowed_hosts({"TREGCAST_ALLOWED_HOSTS": "https://ward7/"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_ALLOWED_HOSTS = 'https://ward7/' is not a host's name or address, with a \
port or without; set such as tregcast.hospital.example or 10.1.2.3:3000, with spaces between
    """
    words = environment.get(VARIABLE, "").replace(",", " ").split()
    wrong = [f"{VARIABLE} = {word!r} {_RULE}; {_REMEDY}" for word in words if not _AUTHORITY.fullmatch(word)]
    if wrong:
        raise Unusable("\n".join(wrong))
    if VARIABLE in environment and not words:
        raise Unusable(f"{VARIABLE} is empty; {_REMEDY}, or unset it")
    return AllowedHosts(frozenset(word.lower() for word in words))


def with_host(hosts: AllowedHosts, listened_to: Iterable[str]) -> AllowedHosts:
    """The same, and the names by which the service was told to listen."""
    more = {host.lower() for host in listened_to if _AUTHORITY.fullmatch(host) and not _is_address(host)}
    return AllowedHosts(hosts.named | more)


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True


@cache
def _own_names() -> frozenset[str]:
    return frozenset({socket.gethostname().lower()})
