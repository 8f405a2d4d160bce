"""A cohort: the examples that a file holds, and a report of what was read, what was left out, and why."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from features.derive import SCALE_MAXIMUM, Scale, derive
from features.record import PatientRecord
from features.table import DEATH, PATIENT, SITE, TIME, Row, TablePatient, absent, patients
from features.vocabulary import vocabulary
from training.mapping import PROVENANCE, ColumnMapping, apply_mapping, read_mapping
from training.outcome import NoOutcome, Outcome, outcome

if TYPE_CHECKING:
    import pandas as pd

IndexVisits = Literal["every", "first"]
SIMULATED = "simulated"
SEPARATOR = "; "  # between the sources of a cohort
PROBLEMS_SHOWN = 50


class CohortError(ValueError):
    """A file that cannot be read as a cohort; the text says what is wrong and what to do."""


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
    unused_headers: tuple[str, ...]
    patients_excluded: int
    excluded_patients: tuple[tuple[str, int], ...]  # reason, patients; a patient may have several reasons
    problems: tuple[str, ...]  # the first of them, by row and column
    excluded_visits: tuple[tuple[str, int], ...]  # reason, visits
    patients_without_outcome: int
    patients_with_outcome: int
    examples: int
    deaths: int
    measured: tuple[tuple[str, float], ...]  # column, share of the patients with an outcome who have it


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
        return any(part.startswith(SIMULATED) for part in self.provenance.split(SEPARATOR))


def read_cohort(path: Path, mapping_path: Path | None = None, *, index_visits: IndexVisits = "every") -> Cohort:
    """Read a cohort file.

    Args:
        path: CSV (also ``.csv.gz``) or Parquet, one row a visit.
        mapping_path: a mapping TOML, where headers, units or codes are not the vocabulary's.
        index_visits: whether each visit with an outcome is an example, or only the patient's first such visit.

    Raises:
        CohortError, MappingError: the file or the mapping cannot be used.
    """
    mapping = ColumnMapping() if mapping_path is None else read_mapping(mapping_path)
    frame = read_table(path, mapping)
    table, unused = apply_mapping(mapping, frame)
    _require(table, path)
    rows: list[Row] = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    scale = mapping.scale or _scale(table)
    found = patients(rows, mapping.units)
    examples, skipped, without = _examples(found, rows, scale, index_visits)
    if not examples:
        raise CohortError(_nothing(path, found, skipped))
    digest = hashlib.sha256(path.read_bytes())
    if mapping_path is not None:
        digest.update(mapping_path.read_bytes())
    report = CohortReport(
        file=path.name,
        rows=len(rows),
        patients=len(found),
        unused_headers=tuple(unused),
        patients_excluded=sum(patient.record is None for patient in found),
        excluded_patients=_counted(Counter(c for p in found for c in {problem.code for problem in p.problems})),
        problems=_described(found),
        excluded_visits=_counted(skipped),
        patients_without_outcome=without,
        patients_with_outcome=len({example.patient_id for example in examples}),
        examples=len(examples),
        deaths=sum(any(not absent(rows[at].get(DEATH)) for at in patient.rows) for patient in found),
        measured=_measured(examples, scale),
    )
    provenance = _provenance(mapping, rows) or f"not stated, read from {path.name}"
    return Cohort(mapping.name or path.name, provenance, scale, digest.hexdigest(), examples, report)


def read_table(path: Path, mapping: ColumnMapping) -> pd.DataFrame:
    """The file as it is: CSV or Parquet by its ending; patient and site identifiers stay text."""
    import pandas as pd

    texts = {
        h
        for column in (PATIENT, SITE)
        for h in (mapping.sources[column].headers if column in mapping.sources else (column,))
    }
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path, dtype=dict.fromkeys(texts, "str"), low_memory=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CohortError(f"{path}: cannot be read: {error}") from error
    raise CohortError(f"{path}: not a .csv, .csv.gz or .parquet file")


def _require(table: pd.DataFrame, path: Path) -> None:
    needed = {PATIENT, *(() if "visit_date" in table else (TIME,))}
    missing = sorted(needed - set(table.columns))
    if missing:
        raise CohortError(
            f"{path}: no column {', '.join(missing)}; name columns as the vocabulary does, or give a mapping file"
        )


def _scale(table: pd.DataFrame) -> Scale:
    """The scale the table has: ALSFRS-R if there is any, else the older one."""
    for scale in SCALE_MAXIMUM:
        if scale in table and table[scale].notna().any():
            return "alsfrs_r_total" if scale == "alsfrs_r_total" else "alsfrs_total"
    return "alsfrs_r_total"


def _examples(
    found: Sequence[TablePatient], rows: Sequence[Row], scale: Scale, index_visits: IndexVisits
) -> tuple[tuple[Example, ...], Counter[str], int]:
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


def _measured(examples: Sequence[Example], scale: Scale) -> tuple[tuple[str, float], ...]:
    having: dict[str, set[str]] = {}
    for example in examples:
        for column in derive(example.record, scale):
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


def _provenance(mapping: ColumnMapping, rows: Sequence[Row]) -> str:
    """What the mapping says and what the rows say: a mapping cannot make real patients of simulated ones."""
    said = {str(row[PROVENANCE]) for row in rows if not absent(row.get(PROVENANCE))}
    return SEPARATOR.join([*([mapping.provenance] if mapping.provenance else []), *sorted(said)])


def _counted(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
