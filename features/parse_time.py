"""The times of a record: days of visits, when symptoms began, the birth and the age that follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from features.consistency import two_ages
from features.measurement import OF_ADULTS, parse_measurement
from features.period import Period, looks_partial, read_period
from features.problem import Problem, shown
from features.record import Measurement
from features.units import DAYS_PER_MONTH, DAYS_PER_YEAR, outside, plain
from features.vocabulary import Vocabulary


class TimeReader:
    """Collects problems while it reads; a part that cannot be read is None."""

    def __init__(self, words: Vocabulary, today: date) -> None:
        self.words = words
        self.today = today
        self.problems: list[Problem] = []
        self.said: set[Problem] = set()

    def days(self, visits: object) -> list[date]:
        """The days of the visits, in their order, if all of them have one; what is wrong is told by `date`."""
        found: list[date] = []
        for visit in visits if isinstance(visits, list) else ():
            text = visit.get("date") if isinstance(visit, dict) else None
            if not isinstance(text, str) or _DAY.fullmatch(text) is None:
                return []
            try:
                found.append(date.fromisoformat(text))
            except ValueError:
                return []
        return found

    def onset(self, body: Mapping[str, object], days: Sequence[date]) -> Period | None:
        """When symptoms began: not after the first visit, so of a month or a year the part until then."""
        if "onset_date" not in body:
            return None
        found = self.period("onset_date", body["onset_date"], "future_onset")
        return found.until(days[0]) if found is not None and days else found

    def age(self, body: Mapping[str, object], days: Sequence[date]) -> tuple[float | None, float]:
        """Years at the index visit, and by how many they may be more or less."""
        age = self.number("age", body)
        birth = self.period("birth_date", body["birth_date"], "future_birth") if "birth_date" in body else None
        if birth is not None and _without_dates(body.get("visits")):
            rule = "stands without dates of visits, from which the age follows"
            self.add("visit_time", "birth_date", None, rule, "date the visits, or send the age in its place")
        if birth is None or not days:
            return age, 0.0
        years, margin = (days[-1].toordinal() - birth.middle) / DAYS_PER_YEAR, birth.margin / DAYS_PER_YEAR
        side = outside(self.words.quantities["age"], years)
        if side is not None:
            low, high = self.words.quantities["age"].plausible
            rule = f"is an age {side} {plain(low)}-{plain(high)} a at the index visit"
            remedy = OF_ADULTS if side == "below" else "check the year"
            self.add("out_of_range", "birth_date", shown(body["birth_date"]), rule, remedy)
        self.problems += two_ages(age, years, margin)
        return years, margin

    def months_between(self, path: str, onset: Period, day: date) -> float | None:
        """Months from the onset to a day."""
        months = (day.toordinal() - onset.middle) / DAYS_PER_MONTH
        latest = self.words.quantities["months_since_onset"].plausible[1]
        remedy = "check onset_date and date"
        if months < 0:
            rule = "is before the onset of symptoms"
            self.add("before_onset", path, shown(day.isoformat()), rule, remedy)
        elif months > latest:
            rule = f"is more than {plain(latest)} months after the onset of symptoms"
            self.add("out_of_range", path, shown(day.isoformat()), rule, remedy)
        else:
            return months
        return None

    def period(self, path: str, value: object, code: str) -> Period | None:
        """A day, a month or a year that has begun."""
        if not isinstance(value, str):
            self.add("wrong_type", path, shown(value), "is not a text", f"send {_OR_PART}")
            return None
        if not looks_partial(value):
            rule = "is not a date as YYYY-MM-DD, YYYY-MM or YYYY"
            self.add("bad_date", path, shown(value), rule, f"send {_OR_PART}")
            return None
        try:
            found = read_period(value)
        except ValueError:
            rule = f"is not a {('year', 'month', 'day')[value.count('-')]} of the calendar"
            self.add("bad_date", path, shown(value), rule, "check year, month and day")
            return None
        if found.first > self.today:
            self.add(code, path, shown(value), "is in the future", "check the year")
            return None
        return found

    def past(self, path: str, value: object, code: str) -> date | None:
        """A day that has begun."""
        day = self.date(path, value)
        if day is not None and day > self.today:
            self.add(code, path, shown(value), "is in the future", "check the year")
            return None
        return day

    def date(self, path: str, value: object) -> date | None:
        """A day of the calendar."""
        if not isinstance(value, str):
            self.add("wrong_type", path, shown(value), "is not a text", "send a date as YYYY-MM-DD")
            return None
        if _DAY.fullmatch(value) is None:
            remedy = "send the day alone, as in 2025-09-01"
            if looks_partial(value):
                remedy = "send the day of the visit, as in 2025-09-01"
            self.add("bad_date", path, shown(value), "is not a date as YYYY-MM-DD", remedy)
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            remedy = "check year, month and day"
            self.add("bad_date", path, shown(value), "is not a day of the calendar", remedy)
            return None

    def number(self, name: str, body: Mapping[str, object], path: str | None = None) -> float | None:
        """A quantity that is known exactly or not at all, in its canonical unit."""
        if name not in body:
            return None
        found = parse_measurement(path or name, self.words.quantities[name], body[name], exact=True)
        if isinstance(found, Measurement):
            return found.value
        self.problems += found
        return None

    def add(self, code: str, field: str, value: str | None, rule: str, remedy: str) -> None:
        """Note a problem, once."""
        problem = Problem(code, field, value, rule, remedy)
        if problem not in self.said:
            self.said.add(problem)
            self.problems.append(problem)


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OR_PART = "the day, the month or the year, as in 2025-09-01, 2025-09 or 2025"


def _without_dates(visits: object) -> bool:
    """Whether no visit has a date, not even a bad one."""
    return isinstance(visits, list) and not any(isinstance(visit, dict) and "date" in visit for visit in visits)
