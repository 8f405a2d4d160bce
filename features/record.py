"""A patient with a history: what every route makes of its input before anything is computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from features.vocabulary import Qualifiers

Comparator = Literal["<", ">"]
MOST_MONTHS_LATE = 1.0  # of a diagnosis; assumption: months and delays are often rounded to whole ones


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value in the canonical unit of its quantity.

    ``comparator`` ``"<"`` means: below the limit that ``value`` gives (``">"``: above it). ``qualifiers`` say how
    it was measured, where the quantity has any.
    """

    value: float
    comparator: Comparator | None = None
    qualifiers: Qualifiers = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One dated set of measurements. ``month`` is counted from symptom onset."""

    month: float
    measurements: Mapping[str, Measurement]
    riluzole: str | None = None


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """A patient's history, in canonical units, visits in time order; the last visit is the index visit.

    ``age_years`` is the age at the index visit. What was not measured is not there. Where the onset or the birth is
    known to the month or the year alone, its middle was taken; by the margin it may have been earlier or later.
    """

    visits: tuple[Visit, ...]
    categories: Mapping[str, str] = field(default_factory=dict)
    age_years: float | None = None
    diagnostic_delay_months: float | None = None
    reference: str | None = None
    onset_margin_months: float = 0.0
    age_margin_years: float = 0.0

    @property
    def index_visit(self) -> Visit:
        """The visit predicted from."""
        return self.visits[-1]

    @property
    def knows_diagnosis(self) -> bool:
        """Whether the diagnosis had come by the index visit, or may have, as the onset is known."""
        delay = self.diagnostic_delay_months
        return delay is not None and delay <= self.index_visit.month + self.onset_margin_months

    def until(self, visit: int) -> PatientRecord:
        """The record as it stood at ``visits[visit]``: nothing that came later is in it.

        A diagnosis up to a month after that visit stays, as it may in any record; no answer uses it.

        Raises:
            IndexError: there is no such visit.

        >>> early, late = Visit(10.0, {}), Visit(22.0, {})
        >>> PatientRecord((early, late), age_years=61.0, diagnostic_delay_months=15.0).until(0)
        ... # doctest: +NORMALIZE_WHITESPACE
        PatientRecord(visits=(Visit(month=10.0, measurements={}, riluzole=None),), categories={},
                      age_years=60.0, diagnostic_delay_months=None, reference=None, onset_margin_months=0.0,
                      age_margin_years=0.0)
        """
        kept = self.visits[: range(len(self.visits))[visit] + 1]
        elapsed = self.index_visit.month - kept[-1].month
        delay = self.diagnostic_delay_months
        yet_to_come = delay is not None and delay > kept[-1].month + self.onset_margin_months + MOST_MONTHS_LATE
        return replace(
            self,
            visits=kept,
            age_years=None if self.age_years is None else self.age_years - elapsed / 12.0,
            diagnostic_delay_months=None if yet_to_come else delay,
        )
