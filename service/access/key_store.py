"""The store of keys: a SQLite file that ``tregcast keys`` writes and the service reads.

It holds no key, only the SHA-256 digest of each. Whoever can write it can admit anybody: it is made with mode 0600,
and one that other users may write is refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_IWOTH
from typing import Literal

from service.access.grant import Grant
from service.access.key import StoredKey, digest, new_key
from service.access.scope import IN_ORDER, is_scope

MODE = 0o600
VERSION = 1  # PRAGMA user_version
APPLICATION = 0x7472_6B31  # PRAGMA application_id: "trk1"
SECONDS_TO_WAIT = 10.0  # of a writer, for another
SECONDS_PER_DAY = 86_400
_TABLE = """
    CREATE TABLE keys (
        id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 8),
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,  -- with a space between
        per_minute INTEGER,
        created INTEGER NOT NULL,  -- seconds since 1970, as the next two
        expires INTEGER,
        revoked INTEGER,
        digest BLOB NOT NULL CHECK (length(digest) = 32)
    ) STRICT, WITHOUT ROWID
"""
_COLUMNS = "id, name, scopes, per_minute, created, expires, revoked, digest"
_Row = tuple[str, str, str, int | None, int, int | None, int | None, bytes]


class StoreError(Exception):
    """A store that cannot be used; the text says why, and names neither its path nor a key."""


def add(path: Path, grant: Grant, now: float) -> tuple[str, StoredKey]:
    """Add a key to the store, which is made if it is not there.

    Returns:
        The text of the key, which is kept nowhere, and what is kept.

    Raises:
        StoreError: the store cannot be written.
    """
    created = int(now)
    expires = None if grant.days is None else created + grant.days * SECONDS_PER_DAY
    with _told():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE))
        with _writing(path) as connection:
            taken = {row[0] for row in connection.execute("SELECT id FROM keys")}
            key_id, text = new_key()
            while key_id in taken:
                key_id, text = new_key()
            key = StoredKey(
                key_id, grant.name, grant.scopes, grant.per_minute, created, expires, None, digest(text)
            )
            scopes = " ".join(scope for scope in IN_ORDER if scope in key.scopes)
            row = (key.id, key.name, scopes, key.per_minute, created, expires, None, key.digest)
            connection.execute(f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return text, key


def revoke(path: Path, key_id: str, now: float) -> StoredKey | None:
    """Revoke a key, for ever; one that was revoked before stays as it was.

    Returns:
        The key as it was before, or None if there is none of this id.

    Raises:
        StoreError: the store cannot be written.
    """
    with _told(), _writing(path) as connection:
        before = next((key for key in read(connection) if key.id == key_id), None)
        connection.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (int(now), key_id))
    return before


def every(path: Path) -> list[StoredKey]:
    """Every key, the oldest first.

    Raises:
        StoreError: the store cannot be read.
    """
    # To be opened for writing, so that SQLite can undo what a killed writer left half done.
    with _told(), _connected(path, "rw", SECONDS_TO_WAIT) as connection:
        return sorted(read(connection), key=lambda key: (key.created, key.id))


def connect(path: Path, access: Literal["ro", "rw"], seconds: float) -> sqlite3.Connection:
    """A connection that outlives this call, for one thread at a time.

    Raises:
        OSError, sqlite3.Error, StoreError: the store is missing, unreadable, or others may write it.
    """
    if S_IMODE(path.stat().st_mode) & S_IWOTH:
        raise StoreError("other users may write it: chmod 600")
    uri = f"{path.absolute().as_uri()}?mode={access}"
    return sqlite3.connect(uri, uri=True, timeout=seconds, isolation_level=None, check_same_thread=False)


def keys_in(path: Path) -> list[StoredKey]:
    """The keys of a store that is only read.

    Raises:
        OSError, sqlite3.Error, StoreError: it cannot be used.
    """
    with _connected(path, "ro", SECONDS_TO_WAIT) as connection:
        return read(connection)


def read(connection: sqlite3.Connection) -> list[StoredKey]:
    """The keys that a connection sees.

    Raises:
        sqlite3.Error, StoreError: it is not a store of keys, or not one of this version.
    """
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if (application, version) != (APPLICATION, VERSION):
        raise StoreError("it is not a store of keys of this version")
    rows: list[_Row] = connection.execute(f"SELECT {_COLUMNS} FROM keys").fetchall()
    return [_key(row) for row in rows]


def reason(error: Exception) -> str:
    """Why a store cannot be used, in words that may be told to anybody.

    >>> reason(FileNotFoundError()), reason(sqlite3.DatabaseError("file is not a database"))
    ('it is missing', 'it is not a store of keys')
    """
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    if is_locked(error):
        return "it is locked by another process"
    if isinstance(error, (OSError, sqlite3.OperationalError)):
        return "it cannot be opened, read or written"
    return "it is not a store of keys"


def is_locked(error: Exception) -> bool:
    """Whether another process was writing."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _key(row: _Row) -> StoredKey:
    key_id, name, words, per_minute, created, expires, revoked, kept = row
    scopes = frozenset(word for word in words.split(" ") if is_scope(word))
    if len(scopes) != len(words.split(" ")):
        raise StoreError("it holds a scope that this version does not know")
    return StoredKey(key_id, name, scopes, per_minute, created, expires, revoked, kept)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreError(reason(error)) from error


@contextmanager
def _connected(path: Path, access: Literal["ro", "rw"], seconds: float) -> Iterator[sqlite3.Connection]:
    connection = connect(path, access, seconds)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction of the only writer; an empty file becomes a store in it."""
    with _connected(path, "rw", SECONDS_TO_WAIT) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            read(connection)  # refuses what is no store before anything is written
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
