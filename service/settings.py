"""Settings of the service: read once, from the environment, into one frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST, PORT = "127.0.0.1", 3000  # defaults; loopback: who opens the service to a network says so
PACK = Path("mlruns/packs/als-progression@champion")  # from the current folder
PINNED = Path(__file__).parents[1] / "pinned"  # `tregcast pin` puts a pack there, for a Bento or an image


class Unusable(ValueError):
    """Settings that cannot be used; the text names each variable, its rule and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which pack is served; ``pack_id`` is the id it must have, where the operator knows it from elsewhere."""

    pack: Path = PACK
    pack_id: str | None = None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment; what is not set has its default: the pinned pack, if there is one, or `PACK`.

    Raises:
        Unusable: naming every variable that cannot be used.

    >>> read_settings({"TREGCAST_PACK": "/packs/7"})
    Settings(pack=PosixPath('/packs/7'), pack_id=None)
    >>> read_settings({"TREGCAST_PACK_ID": "7"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_PACK_ID = '7' is not a pack's id; set 64 hexadecimal digits, or unset it
    """
    wrong: list[str] = []
    default = PINNED if PINNED.is_dir() else PACK
    pack = environment.get("TREGCAST_PACK", str(default))
    if not pack.strip() or "\0" in pack:
        wrong.append(f"TREGCAST_PACK = {pack!r} is no folder; set the folder of a pack, or unset it for {default}")
    pack_id = environment.get("TREGCAST_PACK_ID")
    if pack_id is not None and not re.fullmatch("[0-9a-f]{64}", pack_id):
        wrong.append(f"TREGCAST_PACK_ID = {pack_id!r} is not a pack's id; set 64 hexadecimal digits, or unset it")
    if wrong:
        raise Unusable("\n".join(wrong))
    return Settings(Path(pack), pack_id)


def read_reference_pattern(environment: Mapping[str, str]) -> re.Pattern[str] | None:
    """What references must look like, whole; None where there is no rule.

    Raises:
        Unusable: it is set to what is no pattern.

    >>> read_reference_pattern({"TREGCAST_REFERENCE_PATTERN": "P-[0-9]{6}"})
    re.compile('P-[0-9]{6}')
    >>> read_reference_pattern({"TREGCAST_REFERENCE_PATTERN": "P-["})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_REFERENCE_PATTERN = 'P-[' is not a regular expression \
(unterminated character set); set one like P-[0-9]{6}, or unset it
    """
    said = environment.get("TREGCAST_REFERENCE_PATTERN")
    if said is None:
        return None
    try:
        if not said:
            raise re.error("it is empty")
        return re.compile(said)
    except (re.error, OverflowError, RecursionError) as error:
        why = getattr(error, "msg", "too large")
        raise Unusable(
            f"TREGCAST_REFERENCE_PATTERN = {said!r} is not a regular expression ({why}); "
            "set one like P-[0-9]{6}, or unset it"
        ) from None


def read_shadow(environment: Mapping[str, str]) -> Path | None:
    """The pack, or the link to one, that is compared with the one that answers; None where there is none.

    Raises:
        Unusable: it is set to what is no folder's name.

    >>> read_shadow({"TREGCAST_SHADOW": "/packs/challenger"})
    PosixPath('/packs/challenger')
    """
    said = environment.get("TREGCAST_SHADOW")
    if said is None:
        return None
    if not said.strip() or "\0" in said:
        raise Unusable(f"TREGCAST_SHADOW = {said!r} is not a folder; set the folder of a pack, or unset it")
    return Path(said)
