"""Settings of who may call: read once, from the environment, into one frozen value."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeGuard, get_args
from urllib.parse import urlsplit

from service.access.key_document import HTTPS
from service.settings import Unusable

Auth = Literal["keys", "bearer", "keys+bearer", "off"]
AUTHS: tuple[Auth, ...] = get_args(Auth)
KEYS_VARIABLES = ("TREGCAST_KEYS",)
BEARER_VARIABLES = ("TREGCAST_JWKS", "TREGCAST_ISSUERS", "TREGCAST_AUDIENCES")
_REMEDIES = {
    "TREGCAST_KEYS": "set the file of keys that `tregcast keys add` makes",
    "TREGCAST_JWKS": "set a file, or an https address, of the issuer's JWK set",
    "TREGCAST_ISSUERS": "set the issuers as tokens name them (iss), with spaces between",
    "TREGCAST_AUDIENCES": "set what tokens call this service (aud), with spaces between",
}


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How callers are known. ``jwks`` is a file or an https address; all ``issuers`` sign with the keys in it."""

    auth: Auth = "off"
    keys: Path | None = None
    jwks: str | None = None
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()


def read_access_settings(environment: Mapping[str, str]) -> AccessSettings:
    """The settings of an environment; without any, callers are not asked who they are (see `refuse_open`).

    Raises:
        Unusable: naming every variable that cannot be used, is missing, or has no effect. One without effect is
            refused because whoever set it believes that callers are checked.

    >>> read_access_settings({"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": "/etc/tregcast/keys"})
    AccessSettings(auth='keys', keys=PosixPath('/etc/tregcast/keys'), jwks=None, issuers=(), audiences=())
    >>> read_access_settings({"TREGCAST_KEYS": "/etc/tregcast/keys"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_KEYS is set and has no effect where TREGCAST_AUTH is off; unset one of them
    """
    auth = environment.get("TREGCAST_AUTH", "off")
    if not _is_auth(auth):
        known = ", ".join(AUTHS)
        wrong = [f"TREGCAST_AUTH = {auth!r} is not a way to know callers; set one of {known}"]
        raise Unusable("\n".join([*wrong, *_malformed(environment)]))
    wrong = [*_out_of_place(environment, auth), *_malformed(environment)]
    if wrong:
        raise Unusable("\n".join(wrong))
    return AccessSettings(
        auth,
        Path(environment["TREGCAST_KEYS"]) if "TREGCAST_KEYS" in environment else None,
        environment.get("TREGCAST_JWKS"),
        tuple(environment.get("TREGCAST_ISSUERS", "").split()),
        tuple(environment.get("TREGCAST_AUDIENCES", "").split()),
    )


def refuse_open(host: str, settings: AccessSettings) -> None:
    """Refuse to listen to other machines where nobody is asked who they are.

    Raises:
        Unusable: callers are not checked, and ``host`` is not a loopback address, nor ``localhost`` meaning one.

    >>> refuse_open("127.0.0.1", AccessSettings())
    >>> refuse_open("0.0.0.0", AccessSettings(auth="keys", keys=Path("keys")))
    >>> refuse_open("0.0.0.0", AccessSettings())
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_AUTH is off and '0.0.0.0' is not a loopback address: whoever reaches it \
would be answered; set TREGCAST_AUTH to keys, bearer or keys+bearer, or listen on 127.0.0.1
    """
    if settings.auth == "off" and not is_loopback(host):
        raise Unusable(
            f"TREGCAST_AUTH is off and {host!r} is not a loopback address: whoever reaches it would be "
            "answered; set TREGCAST_AUTH to keys, bearer or keys+bearer, or listen on 127.0.0.1"
        )


def _is_auth(word: str) -> TypeGuard[Auth]:
    return word in AUTHS


def _out_of_place(environment: Mapping[str, str], auth: Auth) -> list[str]:
    """Variables that are missing, and those that have no effect."""
    wrong: list[str] = []
    ways = auth.split("+")
    for way, names in (("keys", KEYS_VARIABLES), ("bearer", BEARER_VARIABLES)):
        for name in names:
            if way in ways and name not in environment:
                wrong.append(f"{name} is required where TREGCAST_AUTH is {auth}; {_REMEDIES[name]}")
            if way not in ways and name in environment:
                wrong.append(f"{name} is set and has no effect where TREGCAST_AUTH is {auth}; unset one of them")
    return wrong


def _malformed(environment: Mapping[str, str]) -> list[str]:
    """Variables that are set to what cannot be used."""
    wrong: list[str] = []
    for name in (*KEYS_VARIABLES, *BEARER_VARIABLES):
        value = environment.get(name)
        if value is not None and (not value.strip() or not value.isprintable()):
            wrong.append(f"{name} = {value!r} is empty or not printable; {_REMEDIES[name]}")
    jwks = environment.get("TREGCAST_JWKS", "")
    if "://" in jwks and not _is_https(jwks):  # not shown: it may hold a password
        rule = "is not an https address without user, password and fragment"
        wrong.append(f"TREGCAST_JWKS {rule}; {_REMEDIES['TREGCAST_JWKS']}")
    return wrong


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port_is_possible = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = parts.username is None and parts.password is None and not parts.fragment and " " not in address
    return address.startswith(HTTPS) and bool(parts.hostname) and bare and port_is_possible


def is_loopback(host: str) -> bool:
    """Whether it is an address of this machine alone. Of names only ``localhost`` is believed, and looked up."""
    try:
        if host == "localhost":
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return all(ip_address(address[0]).is_loopback for *_, address in found)
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except (OSError, ValueError):
        return False
