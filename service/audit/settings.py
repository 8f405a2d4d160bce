"""Settings of the audit trail: read once, from the environment, into one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.audit.store_uri import SqliteUri, StoreUri, parse_uri
from service.settings import Unusable

OFF = "off"
DEADLINE_SECONDS = 2.0
SHORTEST_DEADLINE = 0.05  # a commit takes some ms: under this no answer would ever leave
LONGEST_DEADLINE = 60.0
ANCHOR_ENDING = ".head"


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where the trail is kept.

    ``key`` is the file of the key for input digests. ``anchor`` is the file that holds the head: beside a SQLite
    store by default; with PostgreSQL only where it is set.
    """

    store: StoreUri
    key: Path
    anchor: Path | None
    deadline_seconds: float = DEADLINE_SECONDS

    @property
    def anchor_is_apart(self) -> bool:
        """Whether the anchor lies elsewhere than the store: whoever puts a folder back does not put back both."""
        if self.anchor is None:
            return False
        return (
            not isinstance(self.store, SqliteUri)
            or self.anchor.parent.resolve() != self.store.path.parent.resolve()
        )


def read_audit_settings(environment: Mapping[str, str]) -> AuditSettings | None:
    """The settings of an environment; None where it says that the trail is off.

    There is no default: whether answers are recorded is said, never guessed.

    Raises:
        Unusable: naming every variable that cannot be used. No value of TREGCAST_AUDIT is quoted, which may hold a
            password.

    >>> read_audit_settings({"TREGCAST_AUDIT": "off"}) is None
    True
    >>> read_audit_settings({"TREGCAST_AUDIT": "sqlite:///audit.db", "TREGCAST_AUDIT_KEY": "/run/key"}).anchor
    PosixPath('audit.db.head')
    >>> read_audit_settings({})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_AUDIT is not set; set sqlite:///FILE, postgresql://... or off
    """
    said = environment.get("TREGCAST_AUDIT")
    if said == OFF:
        return None
    wrong: list[str] = []
    store = _store(said, wrong)
    key = _file(environment, "TREGCAST_AUDIT_KEY", wrong)
    if key is None and "TREGCAST_AUDIT_KEY" not in environment and said is not None:
        wrong.append("TREGCAST_AUDIT_KEY is not set; make a key with `tregcast audit key FILE` and set its file")
    anchor = _file(environment, "TREGCAST_AUDIT_ANCHOR", wrong)
    deadline = _seconds(environment.get("TREGCAST_AUDIT_DEADLINE"), wrong)
    if wrong or store is None or key is None:
        raise Unusable("\n".join(wrong))
    return AuditSettings(store, key, anchor or default_anchor(store), deadline)


def default_anchor(store: StoreUri) -> Path | None:
    """The anchor of a store where no other is set."""
    return Path(f"{store.path}{ANCHOR_ENDING}") if isinstance(store, SqliteUri) else None


def _store(said: str | None, wrong: list[str]) -> StoreUri | None:
    if said is None:
        wrong.append("TREGCAST_AUDIT is not set; set sqlite:///FILE, postgresql://... or off")
        return None
    try:
        return parse_uri(said)
    except ValueError as error:
        wrong.append(f"TREGCAST_AUDIT {error}, or off")
        return None


def _file(environment: Mapping[str, str], name: str, wrong: list[str]) -> Path | None:
    said = environment.get(name)
    if said is None:
        return None
    if not said.strip() or "\0" in said:
        wrong.append(f"{name} = {said!r} is not a file; set the path of one")
        return None
    return Path(said)


def _seconds(said: str | None, wrong: list[str]) -> float:
    if said is None:
        return DEADLINE_SECONDS
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_DEADLINE <= seconds <= LONGEST_DEADLINE:
        rule = f"is not a number of seconds from {SHORTEST_DEADLINE:g} to {LONGEST_DEADLINE:g}"
        wrong.append(f"TREGCAST_AUDIT_DEADLINE = {said!r} {rule}; set one, or unset it for {DEADLINE_SECONDS:g}")
    return seconds
