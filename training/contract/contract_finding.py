"""What the check of a cohort file finds, and what its rules look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from features.record import PatientRecord
from features.table import TablePatient
from training.cohort import Example
from training.cohort_table import CohortTable
from training.contract.contract_readings import Floats, Readings


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """Training would leave rows out, or refuse."""
    WARNING = "warning"
    """Training would use it as it is: look at it first."""
    NOTE = "note"
    """Worth knowing; nothing need be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, with the place where it was found.

    Attributes:
        severity: how much it weighs.
        code: the name of its rule; stable, for programs.
        rule: what was broken, or what was seen; with ``value`` before it, a sentence.
        remedy: what to do.
        column: the vocabulary's column, or the header of the file if that is what it is about.
        row: the data row, 1 being the first below the header; None where it is about a patient or a column.
        patient_id: whose row.
        value: what stands there, as text.
    """

    severity: Severity
    code: str
    rule: str
    remedy: str
    column: str | None = None
    row: int | None = None
    patient_id: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A cohort file as the rules see it.

    Attributes:
        table: the rows.
        patients: what the parser of training made of them, in order of first appearance.
        owners: the patient of each row.
        sites: positions of the rows of each site; rows without one are under none.
        months: months since onset of each row, shape (rows,); NaN where the row does not say.
        readings: the numbers of each measured column, by column.
        examples: the index visits that training would use.
        without_outcome: reasons why the other visits are none, with their number.
        today: the day of the check, which no visit is after.
    """

    table: CohortTable
    patients: Sequence[TablePatient]
    owners: Sequence[str]
    sites: Mapping[str, Sequence[int]]
    months: Floats
    readings: Mapping[str, Readings]
    examples: Sequence[Example]
    without_outcome: Mapping[str, int]
    today: date

    @property
    def records(self) -> list[tuple[TablePatient, PatientRecord]]:
        """Patients whose rows the parser accepts."""
        return [(patient, patient.record) for patient in self.patients if patient.record is not None]


Rule = Callable[[Material], Iterable[Finding]]
