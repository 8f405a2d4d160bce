"""A chain in a SQLite file: write-ahead log, and an fsync for each commit."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_IWOTH

from service.audit.chain import Head, Row
from service.audit.note import MARK
from service.audit.store import FORMAT, StoreFailed

SECONDS_LOCKED = 1.0  # that another program may hold the store before a try ends; the next one follows
PAGES_TO_CHECKPOINT = 4000  # 16 MB of write-ahead log are copied at once: seldom, because it costs two more fsyncs
GROUPS = (64, 8, 1)  # rows a statement: few statements, of few lengths, so that each is compiled once

_NEVER = "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
_NO_DELETE = f"CREATE TRIGGER records_no_delete BEFORE DELETE ON records {_NEVER}"
SCHEMA = (
    "CREATE TABLE store (id TEXT NOT NULL, format INTEGER NOT NULL)",
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, output BLOB, hash TEXT NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} {_NEVER}"
        for table in ("store", "records")
        for deed in ("UPDATE", "DELETE")
    ),
)
_ROWS = "SELECT seq, body, output, hash FROM records"
_PAIR = "SELECT body, hash FROM records WHERE seq IN (?, ?) ORDER BY seq"
_NOTES = "SELECT body FROM records WHERE output IS NULL AND instr(body, ?) > 0 ORDER BY seq"
_INSERT = {
    count: "INSERT INTO records (seq, body, output, hash) VALUES " + ", ".join(["(?, ?, ?, ?)"] * count)
    for count in GROUPS
}


class SqliteStore:
    """The file at ``path``; only its user may read what this makes. Its folder must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[tuple[int, int], ...] = ()
        self._touched: tuple[int, int] | None = None
        self._id = ""

    @contextmanager
    def session(self, *, create: bool) -> Iterator[SqliteSession]:
        """See `service.audit.store.Store`."""
        try:
            if self._connection is not None and self._touched != self._change():
                self.close()  # somebody else wrote the file: what is cached of it may not be what is there
            connection = self._connection or self._open(create=create)
            connection.execute("BEGIN IMMEDIATE")
            session = SqliteSession(connection, self._id)
            yield session
            connection.execute("COMMIT")
            if self._files != self._identity():
                raise StoreFailed("STORE_GONE", f"{self._path}: was deleted or replaced while it was written")
            self._touched = self._change()
        except sqlite3.Error as error:
            self.close()
            raise _failed(self._path, error) from error
        except OSError as error:
            self.close()
            raise StoreFailed(type(error).__name__, f"{self._path}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See `service.audit.store.Store`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # what was not committed is undone by who opens it next
                connection.close()

    def _open(self, *, create: bool) -> sqlite3.Connection:
        if create:
            _make_empty(self._path)
        connection = _connect(self._path, "rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_TO_CHECKPOINT}")
            connection.execute("BEGIN IMMEDIATE")
            if create and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO store VALUES (?, ?)", (secrets.token_hex(32), FORMAT))
            found = _store_id(connection, self._path)
            _look_along(connection, self._path)
            connection.execute("COMMIT")
            self._files, self._touched = self._identity(), self._change()
        except BaseException:
            connection.close()
            raise
        self._connection, self._id = connection, found
        return connection

    def _change(self) -> tuple[int, int]:
        """When the file itself was written last: by a checkpoint, or by a copy that is put back."""
        found = self._path.stat()
        if S_IMODE(found.st_mode) & S_IWOTH:
            raise StoreFailed("OTHERS_MAY_WRITE", f"{self._path}: other users may write it; chmod 600")
        return found.st_mtime_ns, found.st_size

    def _identity(self) -> tuple[tuple[int, int], ...]:
        """Which files these are: a deleted file can still be written, and nobody would find it."""
        found = (self._path.stat(), self._wal.stat())
        return tuple((file.st_dev, file.st_ino) for file in found)


class SqliteSession:
    """See `service.audit.store.Session`."""

    def __init__(self, connection: sqlite3.Connection, store_id: str) -> None:
        self._connection = connection
        self.store_id = store_id
        last = connection.execute("SELECT seq, hash, body FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        self.head = Head(0, store_id) if last is None else Head(*last[:2])
        self.last_body: bytes | None = None if last is None else last[2]

    def hash_at(self, seq: int) -> str | None:
        """See `service.audit.store.Session`."""
        if seq == 0:
            return self.store_id
        found = self._connection.execute("SELECT hash FROM records WHERE seq = ?", (seq,)).fetchone()
        return None if found is None else str(found[0])

    def first_seq(self) -> int | None:
        """See `service.audit.store.Session`."""
        found: int | None = self._connection.execute("SELECT min(seq) FROM records").fetchone()[0]
        return found

    def notes(self) -> list[bytes]:
        """See `service.audit.store.Session`."""
        return [body for (body,) in self._connection.execute(_NOTES, (MARK,))]

    def rows_from(self, seq: int, count: int) -> list[Row]:
        """See `service.audit.store.Session`."""
        found = self._connection.execute(f"{_ROWS} WHERE seq >= ? ORDER BY seq LIMIT ?", (seq, count))
        return [Row._make(row) for row in found]

    def prune(self, last_seq: int) -> None:
        """See `service.audit.store.Session`. What is removed is overwritten with zeros."""
        self._connection.execute("DROP TRIGGER IF EXISTS records_no_delete")
        self._connection.execute("DELETE FROM records WHERE seq <= ?", (last_seq,))
        self._connection.execute(_NO_DELETE)

    def insert(self, rows: Sequence[Row]) -> None:
        """See `service.audit.store.Session`."""
        done = 0
        for count in GROUPS:
            while len(rows) - done >= count:
                values = [value for row in rows[done : done + count] for value in row]
                self._connection.execute(_INSERT[count], values)
                done += count


@contextmanager
def read_sqlite(path: Path) -> Iterator[SqliteReader]:
    """See `service.audit.store_uri.open_reader`. The service may go on writing meanwhile."""
    try:
        connection = _connect(path, "ro")
    except sqlite3.Error as error:
        raise _failed(path, error) from error
    with closing(connection):
        connection.text_factory = bytes  # a text that somebody spoilt is told, not tripped over
        try:
            connection.execute("BEGIN")
            reader = SqliteReader(connection, path)
        except sqlite3.Error as error:
            raise _failed(path, error) from error
        yield reader


class SqliteReader:
    """See `service.audit.store.Reader`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self.store_id = _store_id(connection, path)

    def rows(self) -> Iterator[Row]:
        """See `service.audit.store.Reader`."""
        try:
            for seq, body, output, digest in self._connection.execute(f"{_ROWS} ORDER BY seq"):
                yield Row(seq, body, output, digest.decode("ascii", "replace") if type(digest) is bytes else digest)
        except sqlite3.Error as error:
            raise _failed(self._path, error) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=SECONDS_LOCKED
    )


def _make_empty(path: Path) -> None:
    """Make the file, which only its user may read, if it is not there."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _look_along(connection: sqlite3.Connection, path: Path) -> None:
    """Look at some records, ever further from the last: where an older file was put under newer pages, one of them
    is missing or does not follow. `verify` looks at all."""
    last, first = connection.execute("SELECT max(seq), min(seq) FROM records").fetchone()
    back = 1
    while last is not None and last - back >= first:
        found = connection.execute(_PAIR, (last - back, last - back + 1)).fetchall()
        hashes = [sha256(body).hexdigest() for body, _ in found if isinstance(body, bytes)]
        if hashes != [kept for _, kept in found] or len(found) != 2 or hashes[0].encode() not in found[1][0]:
            raise StoreFailed("SQLITE_CORRUPT", f"{path}: record {last - back} is missing or was changed")
        back *= 2


def _store_id(connection: sqlite3.Connection, path: Path) -> str:
    found = connection.execute("SELECT id, format FROM store").fetchall()
    if len(found) != 1 or found[0][1] != FORMAT:
        raise StoreFailed("NO_STORE", f"{path}: is no audit store of format {FORMAT}")
    store_id = found[0][0]
    return store_id.decode("utf-8", "replace") if isinstance(store_id, bytes) else str(store_id)


def _failed(path: Path, error: sqlite3.Error) -> StoreFailed:
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreFailed(code, f"{path}: {error}")
