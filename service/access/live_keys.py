"""The keys as the service sees them: in memory, and never more than half a second behind the store.

A request costs no query. The first one after half a second looks whether the store has changed (a stat and a
``PRAGMA data_version``), and only then reads it again. No store, or a broken one, admits nobody.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from service import log
from service.access.key import NOBODY, StoredKey, fits, id_of
from service.access.key_store import StoreError, connect, is_locked, read, reason
from service.access.scope import Scope
from service.problem import Unanswered, unauthenticated, unavailable

LOOK_EVERY = 0.5  # seconds
LONGEST_UNSEEN = 2.0  # seconds that the keys serve while a writer keeps us from looking
SECONDS_TO_WAIT = 0.25  # for a writer, before a request is answered without having looked
ANSWERED: frozenset[Scope] = frozenset({"predict", "batch"})  # scopes with which somebody gets answers
RETRY_AFTER = 5  # seconds, as a caller is told

_Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The store as it was read: the file, its version of that moment, its keys by id."""

    connection: sqlite3.Connection
    stamp: _Stamp
    version: int
    keys: Mapping[str, StoredKey]


class LiveKeys:
    """Tells whose a key is. May be asked by several threads; must not be carried through a fork."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._reading: _Reading | None = None
        self._looked = self._seen = -math.inf
        self._fault: str | None = None

    def identify(self, text: str, now: float) -> StoredKey:
        """The active key of this text.

        Raises:
            Unanswered: 401, there is none; 503, the store cannot be used.
        """
        keys = self._current(now)
        key = keys.get(id_of(text) or "", NOBODY)
        if not fits(key, text, now):
            raise Unanswered(unauthenticated())
        return key

    def trouble(self, now: float) -> tuple[str, str] | None:
        """A code and words where nobody can be admitted by a key to what is answered; None where somebody can."""
        try:
            keys = self._current(now)
        except Unanswered:
            return "unusable", f"the store of keys cannot be used: {self._fault or 'it is locked'}"
        if any(key.state(now) == "active" and key.scopes & ANSWERED for key in keys.values()):
            return None
        return "no_valid_key", "the store of keys has no valid key with the scope predict or batch"

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._drop()
            self._looked = -math.inf

    def _current(self, now: float) -> Mapping[str, StoredKey]:
        with self._lock:
            if abs(now - self._looked) >= LOOK_EVERY:  # abs: a clock may be set back
                self._looked = now
                self._look(now)
            if self._reading is None or abs(now - self._seen) > LONGEST_UNSEEN:
                fault = self._fault or "it could not be looked at in time"
                raise Unanswered(unavailable(f"cannot read its store of keys: {fault}", RETRY_AFTER))
            return self._reading.keys

    def _look(self, now: float) -> None:
        try:
            stamp = _stamp(self._path)
            before = self._reading
            if before is None or before.stamp != stamp or _version(before.connection) != before.version:
                self._reading = _read(self._path, stamp)
                if before is not None:
                    before.connection.close()
        except (OSError, sqlite3.Error, StoreError) as error:
            if not is_locked(error):
                self._drop()
            self._tell(reason(error))
            return
        self._seen = now
        self._tell(None)

    def _drop(self) -> None:
        if self._reading is not None:
            self._reading.connection.close()
            self._reading = None

    def _tell(self, fault: str | None) -> None:
        """Log a fault when it begins, when it changes and when it ends."""
        if fault != self._fault:
            self._fault = fault
            if fault is None:
                log.write(logging.INFO, "store of keys: in use again")
            else:
                log.write(logging.ERROR, f"store of keys: {fault}")


def _stamp(path: Path) -> _Stamp:
    """Changes when the file is replaced, written, or opened to others; not enough alone, as times have a grain."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


def _version(connection: sqlite3.Connection) -> int:
    """Changes when another connection commits."""
    found: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return found


def _read(path: Path, stamp: _Stamp) -> _Reading:
    """The store, on a new connection. ``stamp`` is from before: what is written meanwhile, the next look sees."""
    connection = connect(path, "ro", SECONDS_TO_WAIT)
    try:
        connection.execute("BEGIN")
        keys = {key.id: key for key in read(connection)}
        version = _version(connection)  # within the transaction: nobody commits between the two
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return _Reading(connection, stamp, version, keys)
