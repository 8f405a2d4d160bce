"""The contract that a cohort file has to keep: what is wrong with it, what is odd, and what was understood.

What is refused is what training refuses, told by the same parser; the other rules look at what it would accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from features.table import SITE, absent, patients
from features.today import latest_date
from training.cohort import CohortError, IndexVisits, examples_in
from training.cohort_table import CohortTable, is_simulated, read_cohort_table
from training.contract.column_summary import ColumnSummary, column_summaries
from training.contract.contract_columns import (
    constant_columns,
    empty_columns,
    foretells_outcome,
    measured_otherwise,
    provenance,
    rare_columns,
    two_scales,
    unused_headers,
    zeros,
)
from training.contract.contract_finding import Finding, Material, Rule, Severity
from training.contract.contract_patients import (
    alike_identifiers,
    changing_height,
    two_deaths,
    two_identifiers,
    two_sites,
)
from training.contract.contract_readings import months_of, readings
from training.contract.contract_refusals import refusals
from training.contract.contract_visits import (
    after_death,
    crossed_pressures,
    death_month,
    in_the_future,
    rising_score,
    without_patient,
)
from training.contract.outcome_coverage import OutcomeCoverage, outcome_coverage, same_outcome, too_few_outcomes
from training.contract.unit_evidence import unit_of_column, unit_of_rows, unit_of_site, unit_of_visit

RULES: tuple[Rule, ...] = (
    refusals,
    too_few_outcomes,
    same_outcome,
    foretells_outcome,
    unit_of_column,
    unit_of_site,
    unit_of_rows,
    unit_of_visit,
    without_patient,
    alike_identifiers,
    two_identifiers,
    two_sites,
    after_death,
    death_month,
    two_deaths,
    in_the_future,
    rising_score,
    measured_otherwise,
    changing_height,
    crossed_pressures,
    unused_headers,
    zeros,
    constant_columns,
    empty_columns,
    rare_columns,
    two_scales,
    provenance,
)
"""All rules; a new one is one line here."""

EXIT_CODES = {None: 0, Severity.NOTE: 0, Severity.WARNING: 3, Severity.ERROR: 4}
"""By the gravest finding. 2 is every command's code for a file that cannot be used at all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A cohort file with all that was found in it, gravest first, then in the order of the rules."""

    table: CohortTable
    index_visits: IndexVisits
    patients: int
    sites: tuple[tuple[str, int], ...]  # site, visits
    findings: tuple[Finding, ...]
    columns: tuple[ColumnSummary, ...]
    outcome: OutcomeCoverage

    @property
    def simulated(self) -> bool:
        """Whether patients in it never lived."""
        return is_simulated(self.table.provenance)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def gravest(self) -> Severity | None:
        """The gravest severity there is; None if nothing was found."""
        return self.findings[0].severity if self.findings else None

    @property
    def exit_code(self) -> int:
        """0 for nothing or notes, 3 for warnings, 4 for errors."""
        return EXIT_CODES[self.gravest]


def check(
    path: Path | str,
    mapping_path: Path | str | None = None,
    *,
    index_visits: IndexVisits = "every",
    today: date | None = None,
) -> Checked:
    """Check a cohort file against the contract.

    Args:
        path: CSV (also ``.csv.gz``) or Parquet, one row a visit.
        mapping_path: a mapping TOML, where headers, units or codes are not the vocabulary's.
        index_visits: as for training.
        today: the day that no visit is after; by default the latest date there is anywhere now.

    Raises:
        CohortError, MappingError: the file or the mapping cannot be used at all.
    """
    table = read_cohort_table(path, mapping_path)
    if not table.rows:
        raise CohortError(f"{path}: holds headers and no row; fill in one row a visit")
    material = gather(table, index_visits, latest_date(datetime.now(UTC)) if today is None else today)
    order = list(Severity)
    found = [finding for rule in RULES for finding in rule(material)]
    return Checked(
        table=table,
        index_visits=index_visits,
        patients=len(material.patients),
        sites=tuple((site, len(rows)) for site, rows in sorted(material.sites.items())),
        findings=tuple(sorted(found, key=lambda finding: order.index(finding.severity))),
        columns=column_summaries(material),
        outcome=outcome_coverage(material),
    )


def gather(table: CohortTable, index_visits: IndexVisits, today: date) -> Material:
    """What the rules look at: the table, and what the parser of training makes of it."""
    found = patients(table.rows, table.mapping.units)
    examples, without, _ = examples_in(found, table.rows, table.scale, index_visits)
    owners = [""] * len(table.rows)
    for patient in found:
        for at in patient.rows:
            owners[at] = patient.patient_id
    sites: dict[str, list[int]] = {}
    for at, row in enumerate(table.rows):
        if not absent(row.get(SITE)):
            sites.setdefault(str(row[SITE]), []).append(at)
    return Material(
        table=table,
        patients=found,
        owners=owners,
        sites=sites,
        months=months_of(table.rows, table.mapping.units),
        readings=readings(table.rows, table.mapping.units),
        examples=examples,
        without_outcome=without,
        today=today,
    )


def lines_of(table: CohortTable, findings: Sequence[Finding]) -> tuple[int | None, ...]:
    """The line of the file of each finding, where it is about a row and the file has lines."""
    return tuple(
        None if table.lines is None or finding.row is None else table.lines[finding.row - 1] for finding in findings
    )
