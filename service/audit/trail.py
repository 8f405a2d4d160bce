"""The trail: an answer is handed to it, and may leave when it returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from service import log
from service.audit.anchor import Anchor, Anchored
from service.audit.key import InputKey, read_key
from service.audit.known_head import KnownHead
from service.audit.record import Entry
from service.audit.settings import AuditSettings
from service.audit.store import AuditUnavailable, Store, StoreFailed
from service.audit.store_uri import open_store
from service.audit.trail_problem import TrailProblem
from service.audit.waiting import Ticket, Waiting
from service.audit.writer import Writer
from service.settings import Unusable

TOO_LATE, CALLER_GONE = "audit_too_late", "caller_gone"  # why an answer in the chain never left


class Trail(Protocol):
    """What the service needs of a trail."""

    @property
    def on(self) -> bool:
        """Whether answers are recorded at all."""

    @property
    def waiting(self) -> int:
        """How many entries are not durable yet."""

    @property
    def problem(self) -> str | None:
        """None, or a code: why nothing can be recorded now."""

    @property
    def trouble(self) -> TrailProblem | None:
        """The problem with its words, for a readiness probe."""

    @property
    def head(self) -> Anchored | None:
        """The store and the head that this service knows: of every record it was told of; None before the first."""

    def digest(self, sent: bytes) -> str:
        """The keyed digest of a record's bytes as they were sent."""

    async def holds(self, head: Anchored) -> bool:
        """Whether the trail still has a record that was its head.

        Raises:
            AuditUnavailable: nothing can be recorded now, so nobody can say.
        """

    async def record(self, entries: Sequence[Entry]) -> None:
        """Return when a record of each entry is durable; all of them are recorded, or none.

        Raises:
            AuditUnavailable: they are not; the answers must not leave, and the caller answers 503.
        """

    def close(self) -> None:
        """Record what waits, and let go of the store."""


class AuditTrail:
    """A trail in a store. Make it in the process that answers, after any fork: it has a thread of its own."""

    def __init__(
        self,
        store: Store,
        anchor: Anchor | None,
        key: InputKey,
        *,
        made_by: str,
        deadline_seconds: float = 2.0,
        waiting: Waiting | None = None,
        known: KnownHead | None = None,
        reopened: Callable[[], Store] | None = None,
    ) -> None:
        """``reopened`` gives the same store once more, for a look beside the thread that writes."""
        self._reopened = reopened
        self._key = key
        self._deadline = deadline_seconds
        self._waiting = waiting or Waiting()
        seen = known or KnownHead()
        self._own_known = seen if known is None else None
        self._seen = seen
        self._writer = Writer(self._waiting, store, anchor, key, made_by, seen)
        self._writer.start()

    @property
    def on(self) -> bool:
        """See `Trail`."""
        return True

    @property
    def waiting(self) -> int:
        """See `Trail`."""
        return self._waiting.entries

    @property
    def problem(self) -> str | None:
        """See `Trail`."""
        trouble = self._writer.problem
        return None if trouble is None else trouble.code

    @property
    def trouble(self) -> TrailProblem | None:
        """See `Trail`."""
        return self._writer.problem

    def digest(self, sent: bytes) -> str:
        """See `Trail`."""
        return self._key.digest(sent)

    async def record(self, entries: Sequence[Entry]) -> None:
        """See `Trail`. Takes no longer than the deadline.

        If the task is cancelled (its caller is gone) or the deadline passes while the records are being
        written, a record may stay of an answer that never left; another one that says so follows it.
        """
        if not entries:
            return
        ticket = Ticket(entries, asyncio.get_running_loop())
        self._waiting.put(ticket)
        timer = ticket.loop.call_later(self._deadline, self._expire, ticket)
        try:
            await ticket.future
        except asyncio.CancelledError:
            self._waiting.give_up(ticket, CALLER_GONE, even_durable=True)
            raise
        finally:
            timer.cancel()

    @property
    def head(self) -> Anchored | None:
        """See `Trail`."""
        return self._seen.read()

    async def holds(self, head: Anchored) -> bool:
        """See `Trail`."""
        if self.problem is not None:
            raise AuditUnavailable(self.problem)
        try:
            return await asyncio.to_thread(self._has, head)
        except StoreFailed as error:
            raise AuditUnavailable(error.code) from None

    def _has(self, head: Anchored) -> bool:
        assert self._reopened is not None
        store = self._reopened()
        try:
            with store.session(create=False) as session:
                return session.store_id == head.store_id and session.hash_at(head.head.seq) == head.head.hash
        finally:
            store.close()

    def close(self) -> None:
        """See `Trail`. Takes no longer than the deadline, and a second."""
        self._waiting.close()
        self._writer.join(self._deadline)
        self._writer.stop()
        self._writer.join(1.0)
        if self._own_known is not None and not self._writer.is_alive():
            self._own_known.close()
            self._own_known = None

    def _expire(self, ticket: Ticket) -> None:
        given_up = self._waiting.give_up(ticket, TOO_LATE)
        if given_up and not ticket.future.done():
            ticket.future.set_exception(AuditUnavailable(self.problem or "TOO_LATE"))


class NoTrail:
    """No trail: answers leave unrecorded, because the settings say ``off``."""

    on = False
    waiting = 0
    problem = None
    trouble = None
    head = None

    def digest(self, sent: bytes) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    async def holds(self, head: Anchored) -> bool:  # noqa: ARG002
        """Nothing can be lost of it."""
        return True

    async def record(self, entries: Sequence[Entry]) -> None:
        """Record nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_trail(settings: AuditSettings | None, *, made_by: str, known: KnownHead | None = None) -> Trail:
    """The trail of these settings; ``None`` is ``off``, which the log says as a warning.

    The store need not be reachable yet. Workers of one service share ``known``.

    Raises:
        Unusable: the key cannot be used, or the store's driver is not installed.
    """
    if settings is None:
        log.write(logging.WARNING, "audit_off")  # answers leave without a record
        return NoTrail()
    key = read_key(settings.key)
    try:
        store = open_store(settings.store)
    except StoreFailed as error:
        raise Unusable(f"TREGCAST_AUDIT: {error}") from None
    anchor = None if settings.anchor is None else Anchor(settings.anchor)
    if not settings.anchor_is_apart:
        log.write(logging.WARNING, "audit_anchor_not_apart")  # a restore between two starts may put both back
    deadline = settings.deadline_seconds
    return AuditTrail(
        store,
        anchor,
        key,
        made_by=made_by,
        deadline_seconds=deadline,
        known=known,
        reopened=lambda: open_store(settings.store),
    )
