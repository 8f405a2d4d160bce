"""A date known to the day, the month or the year, as FHIR writes partial dates: never an invented day.

Where one time is needed, it is the middle of the period, with half of its length as the margin on either side.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date

_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day on which it may have been, both among them."""

    first: date
    last: date

    @property
    def middle(self) -> float:
        """Days as `date.toordinal` counts them; a half between two days.

        >>> read_period("2025-06-14").middle == date(2025, 6, 14).toordinal()
        True
        """
        return (self.first.toordinal() + self.last.toordinal()) / 2

    @property
    def margin(self) -> float:
        """How many days it may have been earlier or later than the middle; 0 where the day is known.

        >>> read_period("2025-06").margin, read_period("2024").margin, read_period("2025-06-14").margin
        (14.5, 182.5, 0.0)
        """
        return (self.last - self.first).days / 2

    def until(self, day: date) -> Period:
        """The part that is not after a day; the period as it is where that leaves nothing.

        >>> read_period("2025").until(date(2025, 3, 1)).last, read_period("2025").until(date(2020, 1, 1)).last
        (datetime.date(2025, 3, 1), datetime.date(2025, 12, 31))
        """
        return replace(self, last=min(self.last, day)) if day >= self.first else self


def looks_partial(text: str) -> bool:
    """Whether it has the form YYYY, YYYY-MM or YYYY-MM-DD; the calendar may not have it.

    >>> looks_partial("2025-06"), looks_partial("2025-13"), looks_partial("06/2025")
    (True, True, False)
    """
    return _PARTIAL.fullmatch(text) is not None


def read_period(text: str) -> Period:
    """The period that a date is: a day, a month or a year.

    Raises:
        ValueError: the text has another form, or the calendar does not have it.

    >>> read_period("2024-02")
    Period(first=datetime.date(2024, 2, 1), last=datetime.date(2024, 2, 29))
    """
    found = _PARTIAL.fullmatch(text)
    if found is None:
        raise ValueError("not a date as YYYY, YYYY-MM or YYYY-MM-DD")
    year, month, day = int(found[1]), found[2], found[3]
    if day is not None:
        only = date(year, int(month), int(day))
        return Period(only, only)
    first, last = (int(month), int(month)) if month is not None else (1, 12)
    return Period(date(year, first, 1), date(year, last, monthrange(year, last)[1]))
