"""A chain in a PostgreSQL database. The driver, psycopg 3, is an extra: ``pip install 'tregcast[postgres]'``."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from service import log
from service.audit.chain import Head, Row
from service.audit.note import MARK
from service.audit.store import FORMAT, StoreFailed

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

LOCK = 0x7472656763617374  # "tregcast": the advisory lock of who appends to the chain of this database
SCHEMA = (
    "CREATE TABLE tregcast_audit_store (id text NOT NULL, format integer NOT NULL)",
    "CREATE TABLE tregcast_audit (seq bigint PRIMARY KEY, body bytea NOT NULL, output bytea, hash text NOT NULL)",
)
SETTINGS = (
    "SET synchronous_commit = on",
    "SET lock_timeout = '1s'",  # for who else holds the chain; the next try follows
    "SET statement_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '10s'",
)
# A machine that is gone does not say so: the connection ends when it has been silent for about 10 s.
DETECT: dict[str, int | str] = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "tregcast audit",
}
_INSERT = "INSERT INTO tregcast_audit (seq, body, output, hash) VALUES (%b, %b, %b, %b)"
_LAST = "SELECT seq, hash, body FROM tregcast_audit ORDER BY seq DESC LIMIT 1"
_NOTES = "SELECT body FROM tregcast_audit WHERE output IS NULL AND position(%b IN body) > 0 ORDER BY seq"
_SOME = "SELECT seq, body, output, hash FROM tregcast_audit WHERE seq >= %s ORDER BY seq LIMIT %s"
_ROWS = "SELECT seq, body, output, hash FROM tregcast_audit ORDER BY seq"


class PostgresStore:
    """The tables ``tregcast_audit_store`` and ``tregcast_audit`` of the database that ``uri`` names."""

    def __init__(self, uri: str) -> None:
        _driver()
        self._uri = uri
        self._connection: Connection | None = None
        self._id = ""

    @contextmanager
    def session(self, *, create: bool) -> Iterator[PostgresSession]:
        """See `service.audit.store.Store`."""
        import psycopg

        try:
            connection = self._connection or self._open(create=create)
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                yield PostgresSession(connection, self._id)
        except psycopg.Error as error:
            self.close()
            raise _failed(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See `service.audit.store.Store`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self, *, create: bool) -> Connection:
        connection = _connect(self._uri)
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            if connection.execute("SHOW fsync").fetchone() != ("on",):
                log.write(logging.WARNING, "audit_not_durable")  # the server runs with fsync=off
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                if create and not _has_tables(connection):
                    for statement in SCHEMA:
                        connection.execute(statement)
                    made = (secrets.token_hex(32), FORMAT)
                    connection.execute("INSERT INTO tregcast_audit_store VALUES (%s, %s)", made)
                found = _store_id(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._id = connection, found
        return connection


class PostgresSession:
    """See `service.audit.store.Session`."""

    def __init__(self, connection: Connection, store_id: str) -> None:
        self._connection = connection
        self.store_id = store_id
        found = connection.execute(_LAST, binary=True).fetchone()
        self.head = Head(0, store_id) if found is None else Head(int(str(found[0])), str(found[1]))
        self.last_body = None if found is None or not isinstance(found[2], bytes) else found[2]

    def hash_at(self, seq: int) -> str | None:
        """See `service.audit.store.Session`."""
        if seq == 0:
            return self.store_id
        found = self._connection.execute("SELECT hash FROM tregcast_audit WHERE seq = %s", (seq,)).fetchone()
        return None if found is None else str(found[0])

    def first_seq(self) -> int | None:
        """See `service.audit.store.Session`."""
        found = self._connection.execute("SELECT min(seq) FROM tregcast_audit").fetchone()
        return None if found is None or found[0] is None else int(str(found[0]))

    def notes(self) -> list[bytes]:
        """See `service.audit.store.Session`."""
        found = self._connection.execute(_NOTES, (MARK,), binary=True).fetchall()
        return [body for (body,) in found if isinstance(body, bytes)]

    def rows_from(self, seq: int, count: int) -> list[Row]:
        """See `service.audit.store.Session`."""
        found = self._connection.execute(_SOME, (seq, count), binary=True).fetchall()
        return [Row._make(row) for row in found]

    def prune(self, last_seq: int) -> None:
        """See `service.audit.store.Session`. The space is free once VACUUM has been there."""
        self._connection.execute("DELETE FROM tregcast_audit WHERE seq <= %s", (last_seq,))

    def insert(self, rows: Sequence[Row]) -> None:
        """See `service.audit.store.Session`."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)


@contextmanager
def read_postgres(uri: str) -> Iterator[PostgresReader]:
    """See `service.audit.store_uri.open_reader`. The service may go on writing meanwhile."""
    _driver()
    import psycopg

    try:
        connection = _connect(uri)
    except psycopg.Error as error:
        raise _failed(error) from error
    with closing(connection):
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            reader = PostgresReader(connection)
        except psycopg.Error as error:
            raise _failed(error) from error
        yield reader


class PostgresReader:
    """See `service.audit.store.Reader`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.store_id = _store_id(connection)

    def rows(self) -> Iterator[Row]:
        """See `service.audit.store.Reader`."""
        import psycopg

        try:
            with psycopg.ServerCursor(self._connection, "rows") as cursor:
                cursor.itersize = 500
                for row in cursor.execute(_ROWS, binary=True):
                    yield Row._make(row)
        except psycopg.Error as error:
            raise _failed(error) from error


def _driver() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        words = "PostgreSQL needs psycopg 3; pip install 'tregcast[postgres]', or set sqlite:///FILE"
        raise StoreFailed("NO_DRIVER", words) from None


def _connect(uri: str) -> Connection:
    import psycopg

    said = psycopg.conninfo.conninfo_to_dict(uri)
    ours = {name: value for name, value in DETECT.items() if name not in said}
    return psycopg.connect(psycopg.conninfo.make_conninfo(uri, **ours), autocommit=True)


def _has_tables(connection: Connection) -> bool:
    found = connection.execute("SELECT to_regclass('tregcast_audit_store')").fetchone()
    return found is not None and found[0] is not None


def _store_id(connection: Connection) -> str:
    if not _has_tables(connection):
        raise StoreFailed("NO_STORE", "the database has no tables of an audit store")
    found = connection.execute("SELECT id, format FROM tregcast_audit_store").fetchall()
    if len(found) != 1 or found[0][1] != FORMAT:
        raise StoreFailed("NO_STORE", f"the database holds no audit store of format {FORMAT}")
    return str(found[0][0])


def _failed(error: psycopg.Error) -> StoreFailed:
    """The failure without the server's own words, which may quote a row."""
    code = error.sqlstate or type(error).__name__
    return StoreFailed(code, f"PostgreSQL: {type(error).__name__}, {code}")
