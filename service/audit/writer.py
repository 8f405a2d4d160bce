"""The writer: one thread that appends all that waits in one transaction, so that many answers share one fsync."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service import log
from service.audit.anchor import Anchor, HeldAnchor
from service.audit.chain import Head, Row, link
from service.audit.record import Entry
from service.audit.store import Session, Store, StoreFailed
from service.audit.waiting import Ticket, Waiting, Withheld

SECONDS_BETWEEN_TRIES = 0.1


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one transaction appends, and the head that the chain has if it was committed."""

    tickets: list[Ticket]
    withheld: list[Withheld]
    rows: list[Row]
    head: Head


class Writer(threading.Thread):
    """Appends what waits to the chain until it is told to stop. ``problem`` is None, or why the last try failed.

    A commit that failed may have been made all the same (a connection that ended in the middle of it): its
    attempt is kept in doubt, and the next transaction first looks whether the chain has it.
    """

    def __init__(self, waiting: Waiting, store: Store, anchor: Anchor | None, made_by: str) -> None:
        super().__init__(name="audit", daemon=True)
        self.problem: str | None = "NOT_YET_OPENED"
        self._waiting = waiting
        self._store = store
        self._anchor = anchor
        self._made_by = made_by
        self._doubt: Attempt | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Open the store, or make it, and then append. A store that failed is tried again though nothing waits, so
        that ``problem`` says when it is back."""
        while not self._stopped.is_set():
            if self._try():
                if not self._waiting.work():
                    break
            elif self._waiting.finished:
                break
            else:
                self._stopped.wait(SECONDS_BETWEEN_TRIES)
        self._store.close()

    def stop(self) -> None:
        """End after the try that runs, whatever waits."""
        self._stopped.set()

    def _try(self) -> bool:
        """Append what waits; whether that went well. Nothing that goes wrong ends the thread."""
        try:
            if self._anchor is None:
                self._append(None)
            else:
                with self._anchor.held() as anchor:
                    self._append(anchor)
        except StoreFailed as error:
            self._tell(error.code)
        except Exception as error:  # a fault of ours: no answer leaves, and the next try may go well
            self._store.close()
            self._tell(type(error).__name__, log.place(error.__traceback__))
        else:
            self._tell(None)
        return self.problem is None

    def _append(self, anchor: HeldAnchor | None) -> None:
        new = anchor is None or anchor.said is None
        settled: Attempt | None = None
        with self._store.session(create=new) as session:
            if anchor is not None:
                anchor.check(session)
            settled = self._settled(session)
            attempt = self._doubt = self._sent(session.head)
            if attempt.rows:
                session.insert(attempt.rows)
        if anchor is not None and (attempt.rows or settled or anchor.said is None):
            anchor.write(session.store_id, attempt.head)
        self._doubt = None
        self._waiting.committed(attempt.tickets, attempt.withheld)

    def _settled(self, session: Session) -> Attempt | None:
        """The attempt that was in doubt, if the chain has it; those who wait are told either way."""
        attempt, self._doubt = self._doubt, None
        if attempt is None:
            return None
        if attempt.rows and session.hash_at(attempt.head.seq) == attempt.head.hash:
            self._waiting.committed(attempt.tickets, attempt.withheld)
            return attempt
        self._waiting.undone(attempt.tickets)
        return None

    def _sent(self, head: Head) -> Attempt:
        """All that waits, linked to the head."""
        tickets, withheld = self._waiting.send()
        try:
            return self._linked(head, tickets, withheld)
        except BaseException:
            self._waiting.undone(tickets)
            raise

    def _linked(self, head: Head, tickets: list[Ticket], withheld: list[Withheld]) -> Attempt:
        rows: list[Row] = []
        for item in withheld:
            rows.append(link(head, _follow_up(item), self._made_by, item.seq))
            head = Head(rows[-1].seq, rows[-1].hash)
        for ticket in tickets:
            ticket.seq = head.seq + 1
            for entry in ticket.entries:
                rows.append(link(head, entry, self._made_by))
                head = Head(rows[-1].seq, rows[-1].hash)
        return Attempt(tickets, withheld, rows, head)

    def _tell(self, problem: str | None, where: str = "") -> None:
        """Log what changed: each trouble once, not at every try."""
        before, self.problem = self.problem, problem
        if problem == before:
            return
        if problem is None:
            log.write(logging.INFO, "audit_available")
        else:
            log.write(logging.ERROR, "audit_unavailable", exception=problem, where=where)


def _follow_up(item: Withheld) -> Entry:
    """The entry that says of an earlier one that its answer never left: the caller was told ``unavailable``."""
    return replace(item.entry, outcome="unavailable", codes=(item.code,), output=None, time=datetime.now(UTC))
