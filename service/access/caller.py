"""A caller that was admitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["key", "bearer", "open"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    ``id`` may stand in a log: a key's id, or 16 hexadecimal digits made of a token's issuer and subject. ``name``
    may not: a token's subject may name a person.
    """

    id: str
    name: str
    kind: Kind


OPEN = Caller("open", "anyone on this machine", "open")
