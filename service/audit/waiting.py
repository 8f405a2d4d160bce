"""Those who wait until their entries are durable, and what has become of each."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum, auto

from service.audit.record import Entry
from service.audit.store import AuditUnavailable

MOST_ENTRIES = 10_000
MOST_BYTES = 64 * 1024 * 1024
ENTRY_BYTES = 1024  # what an entry takes beside its output, about


class State(Enum):
    """Where a ticket is. Only `Waiting` changes it, under its lock, so that each is told one thing only."""

    WAITING = auto()
    SENT = auto()  # in a transaction of which the end is not known yet
    ABANDONED = auto()  # sent, and nobody waits any more
    DURABLE = auto()
    GIVEN_UP = auto()  # and in no chain


class Ticket:
    """The entries of one call, recorded all or none, and the future that wakes who waits for them."""

    __slots__ = ("code", "entries", "future", "loop", "seq", "size", "state")

    def __init__(self, entries: Sequence[Entry], loop: asyncio.AbstractEventLoop) -> None:
        self.entries = tuple(entries)
        self.size = sum(ENTRY_BYTES + len(entry.output or b"") for entry in entries)
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.state = State.WAITING
        self.seq = 0  # of the first entry, once it was sent
        self.code = ""  # why it was abandoned


class Withheld:
    """A record in the chain whose answer never left, which is still to be said there."""

    __slots__ = ("code", "entry", "seq")

    def __init__(self, seq: int, entry: Entry, code: str) -> None:
        self.seq = seq
        self.entry = entry
        self.code = code


class Waiting:
    """All tickets that are not settled. Any thread may call; nothing here waits for a disk."""

    def __init__(self, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._tickets: dict[Ticket, None] = {}  # in the order in which they came
        self._withheld: list[Withheld] = []
        self._entries = 0
        self._bytes = 0
        self._closed = False

    def put(self, ticket: Ticket) -> None:
        """Take a ticket.

        Raises:
            AuditUnavailable: too much is waiting already, or the trail is closed. A ticket that is larger than all
                that may wait is taken where nothing waits.
        """
        with self._changed:
            if self._closed:
                raise AuditUnavailable("CLOSED")
            full = self._entries + len(ticket.entries) > self._most_entries
            if self._tickets and (full or self._bytes + ticket.size > self._most_bytes):
                raise AuditUnavailable("QUEUE_FULL")
            self._tickets[ticket] = None
            self._entries += len(ticket.entries)
            self._bytes += ticket.size
            self._changed.notify()

    def give_up(self, ticket: Ticket, code: str, *, even_durable: bool = False) -> bool:
        """Nobody waits for this ticket any more; whether that was in time, before it became durable.

        What was not sent is never recorded. What is recorded nevertheless, or was already and ``even_durable``
        says that its answer does not leave, is followed by a record that says so.
        """
        with self._changed:
            if ticket.state is State.WAITING:
                ticket.state = State.GIVEN_UP
                self._remove(ticket)
            elif ticket.state is State.SENT:
                ticket.state, ticket.code = State.ABANDONED, code
            elif ticket.state is State.DURABLE and even_durable:
                self._note_withheld(ticket, code)
                self._changed.notify()
            return ticket.state is not State.DURABLE

    def work(self, seconds: float) -> bool:
        """Wait until there is something to append, or so long; False once it is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._tickets or self._withheld or self._closed, seconds)
            return bool(self._tickets or self._withheld or not self._closed)

    @property
    def entries(self) -> int:
        """How many entries wait, or are being written."""
        return self._entries

    @property
    def finished(self) -> bool:
        """Whether the trail is closed and nothing is left to be appended."""
        with self._changed:
            return self._closed and not self._tickets and not self._withheld

    def send(self) -> tuple[list[Ticket], list[Withheld]]:
        """All that is to be appended now; the caller says `committed` or `undone` of it."""
        with self._changed:
            tickets = [ticket for ticket in self._tickets if ticket.state is State.WAITING]
            for ticket in tickets:
                ticket.state = State.SENT
            return tickets, list(self._withheld)

    def undone(self, tickets: Iterable[Ticket]) -> None:
        """These are not in the chain after all."""
        with self._changed:
            for ticket in tickets:
                if ticket.state is State.ABANDONED:
                    ticket.state = State.GIVEN_UP
                    self._remove(ticket)
                else:
                    ticket.state = State.WAITING

    def committed(self, tickets: Iterable[Ticket], withheld: Iterable[Withheld]) -> None:
        """These are in the chain, durably: wake who waits, and note what nobody waits for."""
        woken: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
        with self._changed:
            said = set(withheld)
            self._withheld = [item for item in self._withheld if item not in said]
            for ticket in tickets:
                self._remove(ticket)
                if ticket.state is State.ABANDONED:
                    self._note_withheld(ticket, ticket.code)
                else:
                    woken[ticket.loop].append(ticket.future)
                ticket.state = State.DURABLE
        for loop, futures in woken.items():
            with suppress(RuntimeError):  # the loop is closed, and nobody is left to be told
                loop.call_soon_threadsafe(_wake, futures)

    def close(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _remove(self, ticket: Ticket) -> None:
        del self._tickets[ticket]
        self._entries -= len(ticket.entries)
        self._bytes -= ticket.size

    def _note_withheld(self, ticket: Ticket, code: str) -> None:
        self._withheld += [Withheld(ticket.seq + i, entry, code) for i, entry in enumerate(ticket.entries)]


def _wake(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
