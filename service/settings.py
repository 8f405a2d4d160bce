"""Settings of the service: read once, from the environment, into one frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"  # loopback: who opens the service to a network says so
PORT = 3000
PACK = Path("mlruns/packs/champion")  # from the current folder


class Unusable(ValueError):
    """Settings that cannot be used; the text names each variable, its rule and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which pack is served, and where.

    ``pack_id`` is the id that the pack must have, where the operator knows it from elsewhere.
    """

    pack: Path = PACK
    pack_id: str | None = None
    host: str = HOST
    port: int = PORT


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment; what is not set has its default.

    Raises:
        Unusable: naming every variable that cannot be used.

    >>> read_settings({"TREGCAST_PACK": "/packs/7", "TREGCAST_PORT": "8080"})
    Settings(pack=PosixPath('/packs/7'), pack_id=None, host='127.0.0.1', port=8080)
    >>> read_settings({"TREGCAST_PORT": "http"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_PORT = 'http' is not a port; set a whole number from 0 to 65535
    """
    wrong: list[str] = []
    pack = environment.get("TREGCAST_PACK", str(PACK))
    if not pack.strip() or "\0" in pack:
        wrong.append(f"TREGCAST_PACK = {pack!r} is not a folder; set the folder of a pack, or unset it for {PACK}")
    pack_id = environment.get("TREGCAST_PACK_ID")
    if pack_id is not None and not re.fullmatch("[0-9a-f]{64}", pack_id):
        wrong.append(f"TREGCAST_PACK_ID = {pack_id!r} is not a pack's id; set 64 hexadecimal digits, or unset it")
    host = environment.get("TREGCAST_HOST", HOST)
    if not host.strip():
        wrong.append(f"TREGCAST_HOST = {host!r} is not a host; set an address, or unset it for {HOST}")
    port = environment.get("TREGCAST_PORT", str(PORT))
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        wrong.append(f"TREGCAST_PORT = {port!r} is not a port; set a whole number from 0 to 65535")
    if wrong:
        raise Unusable("\n".join(wrong))
    return Settings(Path(pack), pack_id, host, int(port))
