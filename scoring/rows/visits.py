"""The rows of a chunk as columns of numbers in canonical units, and which of them are out of the ordinary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.consistency import COMPLETED, IDENTITIES, MOST_YEARS_APART
from features.derive import MeasuredAs, qualified
from features.identity import Identity
from features.parse import MOST_VISITS
from features.record import MOST_MONTHS_LATE, Measurement
from features.table import AGE, BIRTH, COMPARATOR, DATE, DELAY, ONSET, PATIENT, TIME
from features.units import DAYS_PER_MONTH, DAYS_PER_YEAR
from features.vocabulary import Quantity, vocabulary
from scoring.rows.cells import Codes, Column, Numbers, identities, read_codes, read_days, read_numbers, read_periods
from scoring.rows.patients import Patients

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

RILUZOLE = "riluzole"
_ROUNDING = 1e-6  # years: how near a limit the parser decides


@dataclass(frozen=True, eq=False)
class Visits:
    """n rows, in the order of ``patients``; what is said of odd ones means nothing.

    A patient is odd as a whole: one row that is not plain, or rows that contradict each other, are enough.
    """

    patients: Patients
    month: Floats  # (n,) since onset
    age: Floats  # (n,) years, NaN where unknown
    delay: Floats  # (n,) months from onset to diagnosis, NaN where unknown or over a month to come
    categories: Mapping[str, Integers]  # by name (n,): its place among the values, negative where unknown
    measured: Mapping[str, Numbers]  # by quantity: as sent, and then what follows exactly from others
    sent: Mapping[str, Mask]  # by quantity (n,): whether it was sent, measured as the values of training were
    unused: Mapping[str, Mask]  # by quantity that has qualifiers (n,): whether it was sent, measured otherwise
    odd: Mask  # (n,)
    onset_margin: Floats  # (n,) months by which the onset may be earlier or later; 0 where it is known to the day
    age_margin: Floats  # (n,) years, by the birth


def read_visits(
    columns: Mapping[str, Column], units: Mapping[str, str], count: int, today: date, measured_as: MeasuredAs
) -> Visits:
    """Read the columns of a chunk.

    Args:
        columns: by vocabulary column; a column that is absent was not measured.
        units: the unit of a column where it is not the canonical one.
        count: how many rows there are.
        today: no visit may be after it.
        measured_as: how the values of training were measured.
    """
    return _Reader(columns, units, count, today, measured_as).visits()


class _Reader:
    """Reads column by column; gathers what is odd on the way, by position in the chunk until rows are ordered."""

    def __init__(
        self,
        columns: Mapping[str, Column],
        units: Mapping[str, str],
        count: int,
        today: date,
        measured_as: MeasuredAs,
    ) -> None:
        self.columns, self.units, self.count, self.today = columns, units, count, today.toordinal()
        self.measured_as = measured_as
        self.qualifiers: dict[str, Codes] = {}
        self.odd: Mask = np.zeros(count, np.bool_)
        self.nothing = np.full(count, np.nan)

    def visits(self) -> Visits:
        time, day = self.number(TIME, exact=True), self.days(DATE)
        known_age, known_delay = self.number(AGE, exact=True).values, self.number(DELAY, exact=True).values
        dated = day.there
        self.odd |= dated == (~np.isnan(time.values))  # a time, or a date, and never both
        for column in (TIME, AGE, DELAY):  # told exactly: nothing is below or above a limit
            if column + COMPARATOR in self.columns:
                self.odd |= self.codes(column + COMPARATOR, ()).odd
        clock = np.where(dated, day.places / DAYS_PER_MONTH, time.values)
        patients = Patients.of(identities(self.columns.get(PATIENT), self.count), clock)
        measured = self.measured()
        self.contradictions(measured)
        unused = self.only_comparable(measured)
        order = patients.order
        self.odd = self.odd[order]
        month, onset_margin = self.months(patients, time.values[order], day.places[order], dated[order])
        measured = {name: found if patients.alone else found.take(order) for name, found in measured.items()}
        sent = {name: ~np.isnan(found.values) for name, found in measured.items()}
        unused = {name: mask[order] for name, mask in unused.items()}
        complete(measured, self.count, self.measured_as)
        age = self.age(patients, known_age[order], clock[order], month)
        age, age_margin = self.age_by_birth(patients, age, day.places[order], month)
        delay = self.delay(patients, known_delay[order], month + onset_margin)
        categories = self.categories(patients)
        odd = patients.any(self.odd)
        return Visits(
            patients,
            month,
            age,
            delay,
            categories,
            measured,
            sent,
            unused,
            odd,
            onset_margin=onset_margin,
            age_margin=age_margin,
        )

    def number(self, column: str, *, exact: bool = False) -> Numbers:
        """The numbers of a column, by position in the chunk; what is odd is noted."""
        quantity = vocabulary().by_column[column]
        cells = self.columns.get(column)
        if cells is None:
            return Numbers(self.nothing, self.nothing > 0, self.nothing > 0)
        found = read_numbers(cells, quantity, self.units.get(column, quantity.unit), exact=exact)
        self.odd |= found.odd
        return found

    def codes(self, column: str, values: tuple[str, ...]) -> Codes:
        cells = self.columns.get(column)
        if cells is None:
            return Codes(np.full(self.count, -1), self.nothing > 0)
        return read_codes(cells, values)

    def days(self, column: str) -> Codes:
        cells = self.columns.get(column)
        found = Codes(np.full(self.count, -1), self.nothing > 0) if cells is None else read_days(cells)
        self.odd |= found.odd | (found.places > self.today)
        return found

    def period(self, patients: Patients, column: str) -> tuple[Floats, Floats, Mask]:
        """The first and the last day of what is one date for all rows of a patient, and where it cannot be used."""
        if column not in self.columns:
            return self.nothing, self.nothing, self.nothing > 0
        said = read_periods(self.columns[column])
        first, differ = patients.constant(said.first[patients.order])
        last, differs = patients.constant(said.last[patients.order])
        odd = patients.any(said.odd[patients.order])
        with np.errstate(invalid="ignore"):
            return first, last, odd | differ | differs | (first > self.today)

    def measured(self) -> dict[str, Numbers]:
        """By quantity, all that any row has."""
        found: dict[str, Numbers] = {}
        for column, quantity in vocabulary().by_column.items():
            if quantity.level != "patient" and column in self.columns:
                numbers = self.one_quantity(column, quantity)
                if not np.isnan(numbers.values).all():
                    found[quantity.name] = numbers
        return found

    def one_quantity(self, column: str, quantity: Quantity) -> Numbers:
        numbers = self.number(column, exact=quantity.integer)  # a score has no limit of detection
        there = ~np.isnan(numbers.values)
        if column + COMPARATOR in self.columns:
            said = self.codes(column + COMPARATOR, ("<", ">"))
            self.odd |= there & (said.odd | (said.there & (numbers.beyond | quantity.integer)))
            numbers = Numbers(numbers.values, numbers.beyond | (there & said.there), numbers.odd)
        for qualifier in quantity.qualifiers:
            self.odd |= there & ~self.said(qualifier.name).there
        return numbers

    def said(self, qualifier: str) -> Codes:
        """How the values of each row were measured, read once."""
        if qualifier not in self.qualifiers:
            self.qualifiers[qualifier] = self.codes(qualifier, tuple(vocabulary().qualifiers[qualifier].values))
        return self.qualifiers[qualifier]

    def is_said(self, qualifier: str, value: str) -> Mask:
        return np.asarray(
            self.said(qualifier).places == list(vocabulary().qualifiers[qualifier].values).index(value)
        )

    def only_comparable(self, measured: dict[str, Numbers]) -> dict[str, Mask]:
        """Leave out what was measured otherwise than the values of training; where that was, by quantity."""
        unused: dict[str, Mask] = {}
        for name in [quantity.name for quantity in qualified() if quantity.name in measured]:
            there, numbers = ~np.isnan(measured[name].values), measured[name]
            kept = np.full(self.count, name in self.measured_as)
            for qualifier, value in self.measured_as.get(name, ()):
                kept &= self.is_said(qualifier, value)
            if (there & ~kept).any():
                unused[name] = there & ~kept
                measured[name] = Numbers(np.where(kept, numbers.values, np.nan), numbers.beyond & kept, numbers.odd)
        return unused

    def contradictions(self, measured: Mapping[str, Numbers]) -> None:
        for identity in IDENTITIES:
            if identity.name in measured and all(part in measured for part in identity.parts):
                expected, known = _computed(identity, measured)
                own = measured[identity.name]
                known &= ~np.isnan(own.values) & ~own.beyond
                if identity.given is not None:  # what must be the same is: a row says it once
                    known &= self.is_said(*identity.given[1:])
                with np.errstate(invalid="ignore"):
                    self.odd |= known & ~np.asarray(identity.allows(own.values, expected))

    def months(self, patients: Patients, time: Floats, day: Integers, dated: Mask) -> tuple[Floats, Floats]:
        """Months since onset in the order of time, and how far they may be off by the onset.

        A patient's rows are dated in one way, at different times.
        """
        month, margin = time, np.zeros(self.count)
        if dated.any():
            first, last, wrong = self.period(patients, ONSET)
            last = np.fmin(last, np.fmax(first, day[patients.first]))  # symptoms began before the first visit
            month = np.where(dated, (day - (first + last) / 2.0) / DAYS_PER_MONTH, time)
            margin = np.where(dated, (last - first) / 2.0 / DAYS_PER_MONTH, 0.0)
            latest = vocabulary().quantities[TIME].plausible[1]
            with np.errstate(invalid="ignore"):
                known = (month >= 0.0) & (month <= latest)
            self.odd |= (dated & (wrong | ~known)) | (patients.any(dated) & ~dated)
        if not patients.alone:
            later = np.append(True, month[1:] > month[:-1])
            later[patients.starts] = True
            self.odd |= ~later | np.repeat(patients.sizes > MOST_VISITS, patients.sizes)
        return month, margin

    def age(self, patients: Patients, known: Floats, clock: Floats, month: Floats) -> Floats:
        """As `features.table` does: the first that is known, and the time between; none may contradict it."""
        first, last = patients.earliest(~np.isnan(known)), patients.last
        with np.errstate(invalid="ignore"):
            apart = np.abs(known - known[first] - (clock - clock[first]) / 12.0)
            differ = patients.any(~np.isnan(known) & (known != known[first]))
            self.odd |= differ & (apart > MOST_YEARS_APART - _ROUNDING)
        years = np.where(first >= 0, known[first] + (clock[last] - clock[first]) / 12.0, np.nan)
        low, high = vocabulary().by_column[AGE].plausible
        with np.errstate(invalid="ignore"):
            self.odd |= (years < low) | (years > high)
        return np.asarray(years - (month[last] - month) / 12.0)

    def age_by_birth(self, patients: Patients, age: Floats, day: Integers, month: Floats) -> tuple[Floats, Floats]:
        """The age, by the birth where that is told alone, and its margin; the parser reads both at once."""
        if BIRTH not in self.columns:
            return age, np.zeros(self.count)
        first, last_day, wrong = self.period(patients, BIRTH)
        told, last = wrong | ~np.isnan(first), patients.last
        years = (day[last] - (first + last_day) / 2.0) / DAYS_PER_YEAR
        low, high = vocabulary().by_column[AGE].plausible
        with np.errstate(invalid="ignore"):
            plain = ~wrong & (years >= low) & (years <= high) & np.isnan(age) & (day > 0)
        self.odd |= told & ~plain
        margin = np.where(told, (last_day - first) / 2.0 / DAYS_PER_YEAR, 0.0)
        return np.where(told, years - (month[last] - month) / 12.0, age), margin

    def delay(self, patients: Patients, known: Floats, latest: Floats) -> Floats:
        found, differ = patients.constant(known)
        self.odd |= differ
        with np.errstate(invalid="ignore"):
            return np.where(found > latest + MOST_MONTHS_LATE, np.nan, found)

    def categories(self, patients: Patients) -> dict[str, Integers]:
        """Of the patient, but for riluzole: that is the last known up to the visit."""
        found: dict[str, Integers] = {}
        for name, category in vocabulary().categories.items():
            if name not in self.columns:
                continue
            codes = self.codes(name, category.values)
            self.odd |= codes.odd[patients.order]
            places = codes.places[patients.order]
            if name == RILUZOLE:
                latest = patients.latest(places >= 0)
                found[name] = np.where(latest >= 0, places[latest], -1)
            else:
                value, differ = patients.constant(np.where(places >= 0, places, np.nan))
                self.odd |= differ
                found[name] = np.nan_to_num(value, nan=-1.0).astype(np.int64)
        return found


def _computed(identity: Identity, measured: Mapping[str, Numbers]) -> tuple[Floats, Mask]:
    """What follows from the parts, and where all of them are known exactly."""
    parts = [measured[part] for part in identity.parts]
    known = np.logical_and.reduce([~np.isnan(part.values) & ~part.beyond for part in parts])
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(identity.compute({part: measured[part].values for part in identity.parts})), known


def _follows(identity: Identity, measured_as: MeasuredAs) -> bool:
    """Whether what is computed from comparable parts is comparable itself."""
    inherited = identity.inherited(
        {part: Measurement(0.0, None, measured_as.get(part, ())) for part in identity.parts}
    )
    return inherited is not None and inherited == measured_as.get(identity.name, ())


def complete(measured: dict[str, Numbers], count: int, measured_as: MeasuredAs) -> None:
    """What was not measured, and follows exactly from comparable values of the same visit."""
    for identity in COMPLETED:
        if not all(part in measured for part in identity.parts) or not _follows(identity, measured_as):
            continue
        value, known = _computed(identity, measured)
        low, high = vocabulary().quantities[identity.name].plausible
        with np.errstate(invalid="ignore"):
            known &= (value >= low) & (value <= high)
        own = measured.get(identity.name)
        if own is None:
            never = np.zeros(count, np.bool_)
            measured[identity.name] = Numbers(np.where(known, value, np.nan), never, never)
        else:
            filled = np.where(np.isnan(own.values) & known, value, own.values)
            measured[identity.name] = Numbers(filled, own.beyond, own.odd)
