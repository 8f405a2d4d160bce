"""Answers by their names, in a SQLite file that all workers share; each for a day."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from service.idempotency.seal import Names
from service.settings import Unusable

SECONDS_KEPT = 86_400.0
SECONDS_UNDER_WAY = 60.0  # after which who began an answer is taken to be dead
SECONDS_LOCKED = 2.0  # that another worker may write
MOST_KEYS, MOST_BYTES = 200_000, 1 << 30
SHARE = 4  # one caller has a quarter of that at most
FORGOTTEN_AT_ONCE = 50
FORMAT = 1
SCHEMA = (
    "CREATE TABLE store (salt BLOB NOT NULL, format INTEGER NOT NULL)",
    """CREATE TABLE answers (name BLOB PRIMARY KEY, caller BLOB NOT NULL, asked BLOB NOT NULL, began REAL NOT NULL,
    claim BLOB, sealed BLOB)""",
    "CREATE INDEX answers_by_time ON answers (began)",
    "CREATE TABLE held (caller BLOB PRIMARY KEY, keys INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    """CREATE TRIGGER one_more AFTER INSERT ON answers BEGIN
    INSERT INTO held VALUES (NEW.caller, 1, 0) ON CONFLICT (caller) DO UPDATE SET keys = keys + 1; END""",
    """CREATE TRIGGER answered AFTER UPDATE OF sealed ON answers BEGIN
    UPDATE held SET bytes = bytes + ifnull(length(NEW.sealed), 0) - ifnull(length(OLD.sealed), 0)
    WHERE caller = NEW.caller; END""",
    """CREATE TRIGGER one_less AFTER DELETE ON answers BEGIN
    UPDATE held SET keys = keys - 1, bytes = bytes - ifnull(length(OLD.sealed), 0) WHERE caller = OLD.caller;
    DELETE FROM held WHERE caller = OLD.caller AND keys = 0; END""",
)


class Full(Exception):
    """There is no room for another key. None is forgotten early: its request could be answered twice."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The key is new: whoever has this answers, and then calls `Store.keep` or `Store.give_up`."""

    token: bytes


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same request is being answered at the moment."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The key was sent with another request."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The request was answered."""

    sealed: bytes


Found = Claim | UnderWay | Differs | Kept


class Store:
    """The answers of a file, or of this process alone where there is none. One thread at a time may use it."""

    def __init__(
        self,
        path: Path | None,
        *,
        may_come_later: bool = False,
        most_keys: int = MOST_KEYS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Open the file, or leave that for later where its folder may still be mounted and is not there.

        Raises:
            Unusable: the file cannot be used.
        """
        self._path, self._most = path, (most_keys, most_bytes)
        self._opened: tuple[sqlite3.Connection, bytes] | None = None
        try:
            self._opened = _opened(path)
        except (OSError, sqlite3.Error) as error:
            if may_come_later and isinstance(error, FileNotFoundError):
                return
            reason = getattr(error, "strerror", None) or error
            remedy = "set TREGCAST_IDEMPOTENCY to a file on a local disk that this user may write"
            raise Unusable(f"idempotency keys cannot be kept in {path}: {reason}; {remedy}") from None

    @property
    def salt(self) -> bytes:
        """What all names in the file are salted with.

        Raises:
            sqlite3.Error: the store cannot be used.
        """
        return self._open()[1]

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._open()[0]

    def _open(self) -> tuple[sqlite3.Connection, bytes]:
        if self._opened is None:
            try:
                self._opened = _opened(self._path)
            except OSError as error:
                raise sqlite3.OperationalError(error.strerror) from None
        return self._opened

    def claim(self, names: Names, now: float) -> Found:
        """What is known of a request; where nothing is, it is claimed.

        Raises:
            Full: there is no room for another key.
            sqlite3.Error: the store cannot be used.
        """
        run = self._connection.execute
        with _transaction(self._connection):
            run(
                "DELETE FROM answers WHERE name IN (SELECT name FROM answers WHERE began <= ? LIMIT ?)",
                (now - SECONDS_KEPT, FORGOTTEN_AT_ONCE),
            )
            found = run("SELECT asked, began, claim, sealed FROM answers WHERE name = ?", (names.name,)).fetchone()
            token = secrets.token_bytes(16)
            if found is None or found[1] <= now - SECONDS_KEPT:
                self._require_room(names.caller)
                run("DELETE FROM answers WHERE name = ?", (names.name,))
                values = (names.name, names.caller, names.asked, now, token)
                run("INSERT INTO answers (name, caller, asked, began, claim) VALUES (?, ?, ?, ?, ?)", values)
                return Claim(token)
            asked, began, claim, sealed = found
            if asked != names.asked:
                return Differs()
            if claim is None:
                return Kept(sealed)
            if abs(now - began) < SECONDS_UNDER_WAY:
                return UnderWay()
            run("UPDATE answers SET began = ?, claim = ? WHERE name = ?", (now, token, names.name))
            return Claim(token)

    def keep(self, names: Names, claim: Claim, sealed: bytes) -> None:
        """Keep the answer, unless another has taken over the claim."""
        with _transaction(self._connection):
            values = (sealed, names.name, claim.token)
            self._connection.execute(
                "UPDATE answers SET claim = NULL, sealed = ? WHERE name = ? AND claim = ?", values
            )

    def forget(self, names: Names, sealed: bytes) -> None:
        """Forget an answer, unless there is another by now."""
        with _transaction(self._connection):
            values = (names.name, sealed)
            self._connection.execute("DELETE FROM answers WHERE name = ? AND sealed = ?", values)

    def give_up(self, names: Names, claim: Claim) -> None:
        """Forget the claim: the request was not answered, and may be sent again."""
        with _transaction(self._connection):
            values = (names.name, claim.token)
            self._connection.execute("DELETE FROM answers WHERE name = ? AND claim = ?", values)

    def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            with suppress(sqlite3.Error):
                self._opened[0].close()

    def _require_room(self, caller: bytes) -> None:
        run = self._connection.execute
        of_all = run("SELECT total(keys), total(bytes) FROM held").fetchone()
        of_caller = run("SELECT total(keys), total(bytes) FROM held WHERE caller = ?", (caller,)).fetchone()
        for all_have, one_has, most in zip(of_all, of_caller, self._most, strict=True):
            if all_have >= most or one_has * SHARE >= most:
                raise Full


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A block of which all is done or nothing, while no other worker writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _opened(path: Path | None) -> tuple[sqlite3.Connection, bytes]:
    """A connection to the file, or to the memory of this process, and the salt of the store in it."""
    if path is not None:
        _make(path)
    place = ":memory:" if path is None else path
    connection = sqlite3.connect(place, isolation_level=None, timeout=SECONDS_LOCKED, check_same_thread=False)
    return connection, _prepared(connection)


def _make(path: Path) -> None:
    """Make the file if it is not there; only its user may read it, and one that others may is refused."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if path.stat().st_mode & 0o077:
        raise PermissionError(0, "others may read or write it (chmod 600)")


def _prepared(connection: sqlite3.Connection) -> bytes:
    """Make the tables if they are not there; the store's salt."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    with _transaction(connection):
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO store VALUES (?, ?)", (secrets.token_bytes(32), FORMAT))
        found = connection.execute("SELECT salt, format FROM store").fetchall()
    if len(found) != 1 or found[0][1] != FORMAT:
        raise sqlite3.DatabaseError(f"it is no store of idempotency keys of format {FORMAT}")
    salt: bytes = found[0][0]
    return salt
