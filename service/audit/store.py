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


class Discontinuity(StoreFailed):
    """A store that can be read and does not hold a record which was seen in it."""

    def __init__(self, code: str, known: Head, found: Head, store_id: str) -> None:
        self.code, self.known, self.found, self.store_id = code, known, found, store_id
        super().__init__(code, f"{self.rule()}; {self.remedy()}")

    def rule(self) -> str:
        """What is wrong, without a value of any record."""
        if self.code == "ANOTHER_STORE":
            return f"the audit store is another one than the one that was seen, which ended with {self.known}"
        return f"the audit store does not hold record {self.known}, which was seen in it; it ends with {self.found}"

    def remedy(self) -> str:
        """What a person can do."""
        store = f" --known-store {self.store_id}" if self.code == "ANOTHER_STORE" else ""
        return (
            "put the store back that holds it, or go on without the lost records: "
            f"tregcast audit accept --known {self.known}{store} --reason TEXT"
        )


class Session(Protocol):
    """A write transaction that has the store for itself: commits at the end of its block, or changes nothing."""

    @property
    def store_id(self) -> str:
        """64 hexadecimal digits, drawn at random when the store was made."""

    @property
    def head(self) -> Head:
        """The end of the chain."""

    @property
    def last_body(self) -> bytes | None:
        """The body of the last record."""

    def hash_at(self, seq: int) -> str | None:
        """The hash of a record; of 0, the store's id; None where there is no such record."""

    def first_seq(self) -> int | None:
        """The number of the first record that is there: 1, or more where earlier ones were pruned."""

    def notes(self) -> list[bytes]:
        """The bodies of all notes (`service.audit.note`), in order. Reads the whole store."""

    def rows_from(self, seq: int, count: int) -> list[Row]:
        """Rows of this number and after, in order."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Put rows after the head."""

    def prune(self, last_seq: int) -> None:
        """Remove the rows up to this number, and nothing else does. Who may only add rows cannot."""


class Store(Protocol):
    """A store that is written, by one thread at a time. Other processes may write it too."""

    def session(self, *, create: bool) -> AbstractContextManager[Session]:
        """A write transaction; what it wrote is durable when its block has ended.

        Args:
            create: make the store if there is none.

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
