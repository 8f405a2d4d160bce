"""Which store a URI names, and that store opened."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from service.audit.store import Reader, Store


@dataclass(frozen=True, slots=True)
class SqliteUri:
    """A file of SQLite."""

    path: Path


@dataclass(frozen=True, slots=True)
class PostgresUri:
    """A database of PostgreSQL. The URI may hold a password, so it is shown nowhere."""

    uri: str = field(repr=False)


StoreUri = SqliteUri | PostgresUri


def parse_uri(text: str) -> StoreUri:
    """The store that a URI names.

    Raises:
        ValueError: none; the text does not quote the URI, which may hold a password.

    >>> parse_uri("sqlite:///audit/audit.db"), parse_uri("sqlite:////var/lib/audit.db")
    (SqliteUri(path=PosixPath('audit/audit.db')), SqliteUri(path=PosixPath('/var/lib/audit.db')))
    >>> parse_uri("postgresql://tregcast:secret@db/audit")
    PostgresUri()
    >>> parse_uri("mysql://a:b@c/d")
    Traceback (most recent call last):
    ValueError: is not a store; set sqlite:///FILE (four slashes for a whole path) or postgresql://...
    """
    if text.startswith("sqlite:///") and len(text) > 10 and "\0" not in text:
        return SqliteUri(Path(text[10:]))
    if re.match(r"postgres(ql)?://", text) and "\0" not in text:
        return PostgresUri(text)
    raise ValueError("is not a store; set sqlite:///FILE (four slashes for a whole path) or postgresql://...")


def open_store(uri: StoreUri) -> Store:
    """The store of a URI, to be written. Nothing is opened yet.

    Raises:
        StoreFailed: its driver is not installed.
    """
    if isinstance(uri, SqliteUri):
        from service.audit.sqlite_store import SqliteStore

        return SqliteStore(uri.path)
    from service.audit.postgres_store import PostgresStore

    return PostgresStore(uri.uri)


def open_reader(uri: StoreUri) -> AbstractContextManager[Reader]:
    """The store of a URI, to be read while the block lasts.

    Raises:
        StoreFailed: it cannot be opened, or is no audit store.
    """
    if isinstance(uri, SqliteUri):
        from service.audit.sqlite_store import read_sqlite

        return read_sqlite(uri.path)
    from service.audit.postgres_store import read_postgres

    return read_postgres(uri.uri)
