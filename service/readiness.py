"""Whether anybody can be answered, and if not, why: one verdict for ``/readyz``, metrics, the log and stdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from service.access.access import Access
from service.audit.trail import Trail

Part = Literal["audit", "keys", "issuer_keys"]
PARTS: tuple[Part, ...] = get_args(Part)
_KEYS_REMEDY = "docs/access.md says how the store of keys is mended"
_ISSUER_REMEDY = "docs/access.md says what the issuer's key set must be"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of the service that does not work: its name, a code, what is wrong, and what to do.

    No value that a caller sent, no path and no password is in it.
    """

    part: Part
    code: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Readiness:
    """All troubles of a moment, and whether nobody can be answered because of them."""

    troubles: tuple[Trouble, ...] = ()
    ready: bool = True
    settled: bool = True  # False while something is read for the first time

    @property
    def why(self) -> str:
        """The troubles in one line; empty where it is ready."""
        return "" if self.ready else ", and ".join(map(str, self.troubles))


def readiness(trail: Trail, access: Access, now: float) -> Readiness:
    """Whether somebody can be answered at this moment, in seconds since 1970.

    Where callers are known by keys or by tokens, one of the two is enough; the other is a trouble all the same.
    """
    audit = trail.trouble
    recorded = () if audit is None else (Trouble("audit", audit.code.lower(), audit.rule, audit.remedy),)
    ways = access.troubles(now)
    callers = [
        Trouble(part, code, rule, _KEYS_REMEDY if part == "keys" else _ISSUER_REMEDY)
        for part, found in ways.items()
        if found is not None
        for code, rule in [found]
    ]
    nobody = bool(ways) and len(callers) == len(ways)
    troubles = (*recorded, *callers)
    return Readiness(troubles, not recorded and not nobody, settled=not _unread(troubles))


def _unread(troubles: Sequence[Trouble]) -> bool:
    return any(trouble.code in ("not_yet_opened", "not_yet_read") for trouble in troubles)
