"""A patient with a history: what every route makes of its input before anything is computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from features.vocabulary import Qualifiers

Comparator = Literal["<", ">"]


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

    ``age_years`` is the age at the index visit. What was not measured is not there.
    """

    visits: tuple[Visit, ...]
    categories: Mapping[str, str] = field(default_factory=dict)
    age_years: float | None = None
    diagnostic_delay_months: float | None = None
    reference: str | None = None

    @property
    def index_visit(self) -> Visit:
        """The visit predicted from."""
        return self.visits[-1]

    def until(self, visit: int) -> PatientRecord:
        """The record as it stood at ``visits[visit]``: nothing that came later is in it.

        Raises:
            IndexError: there is no such visit.

        >>> early, late = Visit(10.0, {}), Visit(22.0, {})
        >>> PatientRecord((early, late), age_years=61.0, diagnostic_delay_months=15.0).until(0)
        ... # doctest: +NORMALIZE_WHITESPACE
        PatientRecord(visits=(Visit(month=10.0, measurements={}, riluzole=None),), categories={},
                      age_years=60.0, diagnostic_delay_months=None, reference=None)
        """
        kept = self.visits[: range(len(self.visits))[visit] + 1]
        elapsed = self.index_visit.month - kept[-1].month
        delay = self.diagnostic_delay_months
        return replace(
            self,
            visits=kept,
            age_years=None if self.age_years is None else self.age_years - elapsed / 12.0,
            diagnostic_delay_months=None if delay is None or delay > kept[-1].month else delay,
        )
