"""Time along the chain: which records are earlier than the one before them because a clock went back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from service import log
from service.audit.chain import Head, Row
from service.audit.record import fields_of, time_of
from service.audit.store import Session

SECONDS_OF_SKEW = 1.0  # that clocks of machines in step may differ
SECONDS_IN_QUEUE = 60.0  # that a record may wait at most (the longest deadline): so far its time may be behind


class ChainClock:
    """Knows the time of the last record.

    A record is marked where this machine's own clock is behind that time, or where it is further behind than any
    queue explains. A record that only waited while others were written is not.
    """

    def __init__(self) -> None:
        self._head: Head | None = None
        self._last: datetime | None = None

    def at(self, session: Session) -> None:
        """Begin after the last record of a store."""
        if self._head != session.head:
            self._head, self._last = session.head, _time(session.last_body)

    def back(self, time: datetime) -> float | None:
        """The seconds to mark the next record with, which has this time; None where it is not marked.

        >>> from datetime import timedelta
        >>> clock, now = ChainClock(), datetime.now(UTC)
        >>> [clock.back(now + timedelta(hours=hours)) for hours in (1, 0, 0)]
        [None, 3600.0, None]
        """
        last, self._last = self._last, time
        if last is None or time >= last:
            return None
        behind = (last - datetime.now(UTC)).total_seconds()
        seconds = (last - time).total_seconds()
        if behind <= SECONDS_OF_SKEW and seconds <= SECONDS_IN_QUEUE:
            self._last = last
            return None
        log.write(logging.WARNING, "audit_clock_back")
        return round(seconds, 3)

    def passed(self, head: Head, rows: Sequence[Row]) -> None:
        """These rows are in the chain now; after a commit that failed, `at` reads the time again."""
        if rows:
            self._head = head


def _time(body: bytes | None) -> datetime | None:
    if body is None:
        return None
    try:
        return time_of(fields_of(body))
    except ValueError:
        return None
