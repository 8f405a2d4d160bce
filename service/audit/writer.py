"""The writer: one thread that appends all that waits in one transaction, so that many answers share one fsync."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service import log
from service.audit.anchor import Anchor, Anchored, HeldAnchor
from service.audit.chain import Head, Row, link
from service.audit.chain_clock import ChainClock
from service.audit.continuity import Continuity
from service.audit.key import InputKey
from service.audit.known_head import KnownHead
from service.audit.note import note_row
from service.audit.record import Entry
from service.audit.store import Session, Store, StoreFailed
from service.audit.trail_problem import NOT_YET_OPENED, TrailProblem, problem_of
from service.audit.waiting import Ticket, Waiting, Withheld

SECONDS_BETWEEN_TRIES = 0.1
SECONDS_BETWEEN_LOOKS = 2.0  # at a store that nothing is written to


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
    attempt is kept in doubt, and the next transaction first looks whether the chain has it. While nothing waits,
    the store is looked at every two seconds, so that a problem is known before somebody asks.
    """

    def __init__(
        self, waiting: Waiting, store: Store, anchor: Anchor | None, key: InputKey, made_by: str, known: KnownHead
    ) -> None:
        super().__init__(name="audit", daemon=True)
        self.problem: TrailProblem | None = NOT_YET_OPENED
        self._waiting = waiting
        self._store = store
        self._anchor = anchor
        self._key = key
        self._made_by = made_by
        self._known = known
        self._continuity = (Continuity(key), Continuity(key))
        self._clock = ChainClock()
        self._doubt: Attempt | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Open the store, or make it, and then append. A store that failed is tried again though nothing waits, so
        that ``problem`` says when it is back."""
        while not self._stopped.is_set():
            if self._try():
                if not self._waiting.work(SECONDS_BETWEEN_LOOKS):
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
            self._tell(problem_of(error))
        except Exception as error:  # a fault of ours: no answer leaves, and the next try may go well
            self._store.close()
            self._tell(TrailProblem(type(error).__name__), log.place(error.__traceback__))
        else:
            self._tell(None)
        return self.problem is None

    def _append(self, anchor: HeldAnchor | None) -> None:
        known, said = self._known.read(), None if anchor is None else anchor.said
        settled: Attempt | None = None
        with self._store.session(create=known is None and said is None) as session:
            given_up = self._continuity[0].check(session, known)
            renew = self._continuity[1].check(session, said) or said is None
            settled = self._settled(session)
            self._clock.at(session)
            attempt = self._doubt = self._sent(session.head, new_anchor=anchor is not None and said is None)
            if attempt.rows:
                session.insert(attempt.rows)
        if anchor is not None and (attempt.rows or settled or renew):
            anchor.write(session.store_id, attempt.head)
        self._known.write(Anchored(session.store_id, attempt.head), known if given_up else None)
        self._doubt = None
        self._clock.passed(attempt.head, attempt.rows)
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

    def _sent(self, head: Head, *, new_anchor: bool) -> Attempt:
        """All that waits, linked to the head."""
        tickets, withheld = self._waiting.send()
        try:
            return self._linked(head, tickets, withheld, new_anchor=new_anchor)
        except BaseException:
            self._waiting.undone(tickets)
            raise

    def _linked(self, head: Head, tickets: list[Ticket], withheld: list[Withheld], *, new_anchor: bool) -> Attempt:
        rows: list[Row] = []

        def add(row: Row) -> None:
            nonlocal head
            rows.append(row)
            head = Head(row.seq, row.hash)

        if new_anchor and head.seq > 0:
            add(note_row(head, "anchor_made", {"head": str(head)}, self._key, self._made_by))
        for item in withheld:
            follow_up = _follow_up(item)
            add(link(head, follow_up, self._made_by, item.seq, self._clock.back(follow_up.time)))
        for ticket in tickets:
            ticket.seq = head.seq + 1
            for entry in ticket.entries:
                add(link(head, entry, self._made_by, clock_back_s=self._clock.back(entry.time)))
        return Attempt(tickets, withheld, rows, head)

    def _tell(self, problem: TrailProblem | None, where: str = "") -> None:
        """Log what changed: each trouble once, not at every try."""
        before, self.problem = self.problem, problem
        if problem == before:
            return
        if problem is None:
            log.write(logging.INFO, "audit_available")
        else:
            heads = {} if problem.known is None else {"known": str(problem.known), "found": str(problem.found)}
            log.write(logging.ERROR, "audit_unavailable", exception=problem.code, where=where, **heads)


def _follow_up(item: Withheld) -> Entry:
    """The entry that says of an earlier one that its answer never left: the caller was told ``unavailable``."""
    return replace(item.entry, outcome="unavailable", codes=(item.code,), output=None, time=datetime.now(UTC))
