"""A cohort: the examples that a file holds, and a report of what was read, what was left out, and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from features.derive import Scale, derive, qualified
from features.record import PatientRecord
from features.stated import statement_of
from features.table import DEATH, PATIENT, SITE, Row, TablePatient, absent, patients
from features.vocabulary import vocabulary
from training.cohort_table import CohortError, CohortTable, is_simulated, read_cohort_table
from training.outcome import NoOutcome, Outcome, outcome
from training.progress import Progress, silent
from training.ways import other_ways, usual_ways

__all__ = ["Cohort", "CohortError", "CohortReport", "Example", "IndexVisits", "examples_in", "read_cohort"]

IndexVisits = Literal["every", "first"]
PROBLEMS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Example:
    """One index visit: the record as it stood then, and what came of it."""

    patient_id: str
    site: str | None
    record: PatientRecord
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class CohortReport:
    """What was read and what became of it. Counts only, and problems without their values."""

    file: str
    rows: int
    patients: int
    rows_without_patient_id: int  # each a patient of its own
    unused_headers: tuple[str, ...]
    near_headers: tuple[tuple[str, tuple[str, ...]], ...]  # those of them that are like a missing column: which
    patients_excluded: int
    excluded_patients: tuple[tuple[str, int], ...]  # reason, patients; a patient may have several reasons
    problems: tuple[str, ...]  # the first of them, by row and column
    excluded_visits: tuple[tuple[str, int], ...]  # reason, visits
    patients_without_outcome: int
    patients_with_outcome: int
    examples: int
    deaths: int
    measured: tuple[tuple[str, float], ...]  # column, share of the patients with an outcome who have it
    measured_otherwise: tuple[str, ...]  # values left out, as they were measured otherwise than most; and how many


@dataclass(frozen=True, slots=True)
class Cohort:
    """Examples with all that must be said of where they come from."""

    name: str
    provenance: str
    scale: Scale
    digest: str  # sha256 over file and mapping
    examples: tuple[Example, ...]
    report: CohortReport

    @property
    def simulated(self) -> bool:
        """Whether patients in it never lived. One source that says so is enough."""
        return is_simulated(self.provenance)


def read_cohort(
    path: Path | str,
    mapping_path: Path | str | None = None,
    *,
    index_visits: IndexVisits = "every",
    strict: bool = False,
    progress: Progress = silent,
) -> Cohort:
    """Read a cohort file.

    Args:
        path: CSV (also ``.csv.gz``) or Parquet, one row a visit.
        mapping_path: a mapping TOML, where headers, units or codes are not the vocabulary's.
        index_visits: whether each visit with an outcome is an example, or only the patient's first such visit.
        strict: whether a header that is not read, but is like a column that is missing, is an error.
        progress: told what becomes of the headers.

    Raises:
        CohortError, MappingError: the file or the mapping cannot be used.
    """
    table = read_cohort_table(path, mapping_path)
    require_stated(table)
    if strict and table.headers.near:
        raise CohortError(f"{path}: {'; '.join(table.headers.warnings)} (--strict)")
    for line in table.headers.lines():
        progress(line)
    rows, scale = table.rows, table.scale
    found = patients(rows, table.mapping.units)
    examples, skipped, without = examples_in(found, rows, scale, index_visits)
    if not examples:
        raise CohortError(_nothing(table.path, found, skipped))
    digest = hashlib.sha256(table.path.read_bytes())
    if mapping_path is not None:
        digest.update(Path(mapping_path).read_bytes())
    report = CohortReport(
        file=table.path.name,
        rows=len(rows),
        patients=len(found),
        rows_without_patient_id=sum(absent(row.get(PATIENT)) for row in rows),
        unused_headers=table.unused_headers,
        near_headers=tuple(table.headers.near.items()),
        patients_excluded=sum(patient.record is None for patient in found),
        excluded_patients=_counted(Counter(c for p in found for c in {problem.code for problem in p.problems})),
        problems=_described(found),
        excluded_visits=_counted(skipped),
        patients_without_outcome=without,
        patients_with_outcome=len({example.patient_id for example in examples}),
        examples=len(examples),
        deaths=sum(any(not absent(rows[at].get(DEATH)) for at in patient.rows) for patient in found),
        measured=_measured(examples, scale),
        measured_otherwise=tuple(map(str, other_ways(fullest(examples)))),
    )
    return Cohort(table.name, table.provenance, scale, digest.hexdigest(), examples, report)


def require_stated(table: CohortTable) -> None:
    """Nothing, if a table says how the values of its columns were measured, where they mean nothing without that.

    Rows that do not say it are told by the parser; here it is a table that says it nowhere.

    Raises:
        CohortError: naming each column and both remedies.
    """
    problems = [
        f"{quantity.column} has values, and nothing says their {qualifier.name}: {statement_of(qualifier)}"
        for quantity in qualified()
        for qualifier in quantity.qualifiers
        if _said(table.rows, quantity.column) and not _said(table.rows, qualifier.name)
    ]
    if problems:
        raise CohortError(f"{table.path}: " + ". ".join(problems))


def _said(rows: Sequence[Row], column: str) -> bool:
    return any(not absent(row.get(column)) for row in rows)


def examples_in(
    found: Sequence[TablePatient], rows: Sequence[Row], scale: Scale, index_visits: IndexVisits
) -> tuple[tuple[Example, ...], Counter[str], int]:
    """The examples of patients; reasons of the visits that are none, counted; and how many patients have none.

    Args:
        found: the patients of a table; those whose record was refused are passed over.
        rows: the rows of that table, for the site of each visit.
        scale: whose points the outcome counts.
        index_visits: as for `read_cohort`.
    """
    examples: list[Example] = []
    skipped: Counter[str] = Counter()
    without = 0
    for patient in found:
        if patient.record is None:
            continue
        before = len(examples)
        for visit in range(len(patient.record.visits)):
            result = outcome(patient.record, visit, scale)
            if isinstance(result, NoOutcome):
                skipped[result.value] += 1
                continue
            site = rows[patient.rows[visit]].get(SITE)
            record = patient.record.until(visit)
            examples.append(Example(patient.patient_id, None if absent(site) else str(site), record, result))
            if index_visits == "first":
                break
        without += len(examples) == before
    return tuple(examples), skipped, without


def fullest(examples: Sequence[Example]) -> list[PatientRecord]:
    """The longest record of each patient: every visit once."""
    found: dict[str, PatientRecord] = {}
    for example in examples:
        known = found.get(example.patient_id)
        if known is None or len(known.visits) < len(example.record.visits):
            found[example.patient_id] = example.record
    return list(found.values())


def _measured(examples: Sequence[Example], scale: Scale) -> tuple[tuple[str, float], ...]:
    having: dict[str, set[str]] = {}
    measured_as = usual_ways(fullest(examples))
    for example in examples:
        for column in derive(example.record, scale, measured_as):
            having.setdefault(column, set()).add(example.patient_id)
    total = len({example.patient_id for example in examples})
    columns = [*vocabulary().by_column, *(c for k in vocabulary().categories.values() for c in k.columns)]
    return tuple((column, len(having.get(column, ())) / total) for column in columns)


def _described(found: Sequence[TablePatient]) -> tuple[str, ...]:
    described = [f"{problem.field} {problem.rule}; {problem.remedy}" for p in found for problem in p.problems]
    return tuple(described[:PROBLEMS_SHOWN])


def _nothing(path: Path, found: Sequence[TablePatient], skipped: Counter[str]) -> str:
    reasons = [f"{count} visits: {reason}" for reason, count in _counted(skipped)]
    reasons += [f"first problem: {text}" for text in _described(found)[:3]]
    return f"{path}: none of {len(found)} patients can be used. " + "; ".join(reasons)


def _counted(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
