"""Where a chain is kept: what a store can do, and what goes wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from service.audit.chain import Head, Row

FORMAT = 1  # of the tables and of the canonical bytes


class AuditUnavailable(Exception):
    """An answer could not be recorded in time, so it must not leave. ``code`` names the trouble, and no value.

    >>> raise AuditUnavailable("SQLITE_FULL")
    Traceback (most recent call last):
    service.audit.store.AuditUnavailable: SQLITE_FULL
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class StoreFailed(Exception):
    """A store cannot be read or written now. ``code`` may be logged; ``words`` are for who works on the store."""

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        super().__init__(words)


class Session(Protocol):
    """A write transaction that has the store for itself: commits at the end of its block, or changes nothing."""

    @property
    def store_id(self) -> str:
        """64 hexadecimal digits, drawn at random when the store was made."""

    @property
    def head(self) -> Head:
        """The end of the chain."""

    def hash_at(self, seq: int) -> str | None:
        """The hash of a record; of 0, the store's id; None where there is no such record."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Put rows after the head."""


class Store(Protocol):
    """A store that is written, by one thread at a time. Other processes may write it too."""

    def session(self, *, create: bool) -> AbstractContextManager[Session]:
        """A write transaction; what it wrote is durable when its block has ended.

        Args:
            create: make the store if there is none, and this object has never seen one.

        Raises:
            StoreFailed: nothing was written, or it is not known whether the end of the transaction was.
        """

    def close(self) -> None:
        """Let go of the store; the next session opens it again."""


class Reader(Protocol):
    """A store that is read, as it is at one moment."""

    @property
    def store_id(self) -> str:
        """As in `Session`; may be any value where somebody changed it."""

    def rows(self) -> Iterator[Row]:
        """All rows by their number, in constant memory. Values may be of any type where somebody changed them.

        Raises:
            StoreFailed: the store cannot be read further.
        """
