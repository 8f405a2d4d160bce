"""A decision on which version serves: what was decided, by whom, on what evidence, and the decision before it.

Each holds the sha256 of the one before, so none can be changed or taken out without the next one telling. How
decisions are numbered and kept is in `training.promotion.decision_chain`.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from model.canonical import canonical_json

Kind = Literal["first champion", "promotion", "refusal", "override", "rollback"]
NOTHING_BEFORE = "0" * 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found: its figure and bound in words, whether it holds, and whether a reason can lift it."""

    gate: str
    figure: str
    bound: str
    passed: bool
    liftable: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. ``to_version`` is the version that it was about; a refusal moves nothing."""

    number: int  # from 1, without a gap
    model: str
    kind: Kind
    from_version: str | None
    to_version: str
    to_pack: str
    who: str
    when: str  # ISO 8601, UTC
    before: str  # sha256 of the decision before
    reason: str = ""
    cohort: str = ""
    cohort_digest: str = ""
    comparison_run: str = ""
    gates: tuple[Verdict, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether it makes ``to_version`` the champion."""
        return self.kind != "refusal"

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that did not hold."""
        return tuple(verdict.gate for verdict in self.gates if not verdict.passed)

    @property
    def sentence(self) -> str:
        """It in one line."""
        said = {
            "first champion": f"version {self.to_version} became the first champion",
            "promotion": f"version {self.to_version} was promoted in place of {self.from_version}",
            "refusal": f"version {self.to_version} was refused, {self.from_version} was kept "
            f"({', '.join(self.failed)})",
            "override": f"version {self.to_version} was promoted in place of {self.from_version} despite "
            f"{', '.join(self.failed)}: {self.reason}",
            "rollback": f"back from version {self.from_version} to {self.to_version}: {self.reason}",
        }[self.kind]
        return f"decision {self.number}, {self.when}, {self.who}: {said}"

    def as_json(self) -> bytes:
        """The bytes that are kept and hashed."""
        return canonical_json(asdict(self))


def digest_of(document: bytes) -> str:
    """The sha256 that the next decision holds."""
    return hashlib.sha256(document).hexdigest()


def decision_from(document: bytes) -> Decision:
    """The decision in a kept document.

    Raises:
        ValueError: it is no decision.

    >>> made = Decision(1, "m", "first champion", None, "1", "f" * 64, "eve", "2026", NOTHING_BEFORE)
    >>> decision_from(made.as_json()) == made
    True
    """
    try:
        table = json.loads(document)
        verdicts = tuple(Verdict(**verdict) for verdict in table.pop("gates"))
        found = Decision(**table, gates=verdicts)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"not a decision: {error}") from error
    if found.kind not in get_args(Kind):
        raise ValueError(f"not a decision: kind {found.kind!r}")
    return found


def who() -> str:
    """Who decides, as this machine knows them: a record, not a proof of identity."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def now() -> str:
    """The time of a decision."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
