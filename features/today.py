"""Which day it is, for the one rule that asks: a visit in the future is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta

FURTHEST_EAST = timedelta(hours=14)  # of UTC, the largest offset in use (Line Islands)


def latest_date(now: datetime) -> date:
    """The latest date that has begun anywhere, so that no clinic's visit of today is refused in its morning.

    Args:
        now: with a time zone.

    >>> from datetime import UTC
    >>> latest_date(datetime(2026, 3, 1, 22, 0, tzinfo=UTC))  # it is the morning of 2 March in Sydney
    datetime.date(2026, 3, 2)
    """
    offset = now.utcoffset()
    if offset is None:
        raise ValueError("now has no time zone")
    return (now - offset + FURTHEST_EAST).date()
