"""What keeps the link of an alias in step with the registry, for a service that watches the link."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from training.kept_packs import drop_old, mark_used
from training.reachability import asking_once, reason
from training.registry import (
    PACKS,
    Refused,
    RegistryError,
    StoreError,
    Version,
    add_report,
    link_of,
    place,
    version_of,
)
from training.tracking import open_store

JITTER = 0.1  # so that many followers do not ask in the same moment
MOST_RARELY = 8  # times as rarely as asked for, while the registry does not answer


@dataclass(frozen=True, slots=True)
class _State:
    """What is linked, and what is wrong; it is told when it changes."""

    pack_id: str | None
    problem: str | None = None
    words: str = field(default="", compare=False)  # may name a scratch folder, another each time


class Follower:
    """Follows ``models:/NAME@ALIAS``: fetches, verifies and links the pack of each version that the alias names.

    A pack that does not verify is never linked. The link stays as it is then, and while the registry does not
    answer. Each change is told once.

    Args:
        reference: ``models:/NAME@ALIAS``.
        uri: the store, as `training.tracking.open_store` takes it.
        packs: the folder of packs.
        keep: how many packs stay there, for going back without fetching.
        tell: takes one line.

    Raises:
        RegistryError: the reference has no alias, so there is nothing to follow.
    """

    def __init__(
        self, reference: str, uri: str | None = None, packs: Path = PACKS, *, keep: int, tell: Callable[[str], None]
    ) -> None:
        link = link_of(reference, packs)
        if link is None:
            raise RegistryError(f"{reference!r} is not models:/NAME@ALIAS; only an alias can be followed")
        self._reference, self._uri, self._packs, self._link = reference, uri, packs, link
        self._keep, self._tell = keep, tell
        self._verified: str | None = None
        self._told: _State | None = None
        self._told_of_report = ""

    def run(self, every: float, woken: Event, ended: Event) -> None:
        """Look again and again until ``ended`` is set; ``woken`` cuts a pause short, also to end.

        Args:
            every: seconds between two looks; up to `MOST_RARELY` times that after failures.
            woken: set by whoever knows that there is something to see.
            ended: set, and then ``woken``, to end.
        """
        failures = 0
        while not ended.is_set():
            woken.clear()
            failures = 0 if self.look() else failures + 1
            woken.wait(pause(every, failures))

    def look(self) -> bool:
        """Ask the registry once, and bring the link in step; False where that failed."""
        state = self._state()
        if state != self._told:
            self._told = state
            self._tell(f"{self._reference}{state.words}{self._stays(state)}")
        return state.problem is None

    def _state(self) -> _State:
        version: Version | None = None
        try:
            with asking_once():
                open_store(self._uri, make=False)
                version = version_of(self._reference)
                self._bring_in_step(version)
        except Refused as error:
            assert version is not None
            words = f": version {version.version}, pack {version.pack_id}, is refused: {error}"
            return _State(self._linked(), f"refused {version.pack_id}", words)
        except (StoreError, OSError, ValueError) as error:  # the last where what answers is no registry
            return _State(self._linked(), reason(error), f" cannot be followed: {reason(error)}")
        return _State(version.pack_id, None, f" is version {version.version}, pack {version.pack_id}")

    def _bring_in_step(self, version: Version) -> None:
        if self._verified == version.pack_id == self._linked():
            add_report(version, self._packs, self._tell_of_report)  # made after the pack was pulled
            return
        folder, pack = place(self._reference, version, self._packs, self._tell_of_report)
        self._verified = pack.id
        mark_used(folder)
        drop_old(self._packs, self._keep)

    def _tell_of_report(self, words: str) -> None:
        if words != self._told_of_report:
            self._told_of_report = words
            self._tell(words)

    def _linked(self) -> str | None:
        """The id of the pack that the link points to, if that is there."""
        return self._link.readlink().name if self._link.is_symlink() and self._link.is_dir() else None

    @staticmethod
    def _stays(state: _State) -> str:
        if state.problem is None:
            return ""
        return "; there is no pack yet" if state.pack_id is None else f"; the link stays at pack {state.pack_id}"


def pause(every: float, failures: int) -> float:
    """Seconds until the next look: twice as long after each failure, bounded, and never quite the same.

    >>> [round(pause(10, failures), -1) for failures in (0, 1)], 70 < pause(10, 3) < 90, 70 < pause(10, 100) < 90
    ([10.0, 20.0], True, True)
    """
    longer = min(2.0 ** min(failures, 30), MOST_RARELY)
    return every * longer * random.uniform(1 - JITTER, 1 + JITTER)
