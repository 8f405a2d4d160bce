"""Findings that say the same of many rows or columns, put together for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.cohort_table import CohortTable
from training.contract.contract_finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one rule: of one column if they are about rows, of several if they are notes on columns."""

    severity: Severity
    code: str
    columns: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def merged(self) -> bool:
        """Whether one sentence about several columns says it all."""
        return len(self.columns) > 1 and len({(each.rule, each.remedy) for each in self.findings}) == 1


def groups(findings: Sequence[Finding]) -> tuple[Group, ...]:
    """The findings in groups, each in the place of its first."""
    found: dict[tuple[Severity, str, str], list[Finding]] = {}
    for each in findings:
        column = "" if each.row is None and each.severity is Severity.NOTE else each.column or ""
        found.setdefault((each.severity, each.code, column), []).append(each)
    return tuple(
        Group(
            severity,
            code,
            tuple(dict.fromkeys(each.column for each in members if each.column is not None)),
            tuple(members),
        )
        for (severity, code, _), members in found.items()
    )


def place(finding: Finding, table: CohortTable) -> str:
    """Where a finding is, for a person: row, line of the file, patient.

    Nothing, if it is about a column or the whole.
    """
    if finding.row is None:
        return ""
    line = "" if table.lines is None else f" (line {table.lines[finding.row - 1]})"
    nobody = finding.patient_id in (None, f"row {finding.row}")  # how the parser calls a row without patient
    patient = "" if nobody else f", patient {finding.patient_id}"
    return f"row {finding.row}{line}{patient}"


def sentence(finding: Finding) -> str:
    """Value, rule and remedy.

    >>> sentence(Finding(Severity.ERROR, "out_of_range", "is above 0-500 mg/L", "sent in ug/L?", value="8200 mg/L"))
    '8200 mg/L is above 0-500 mg/L; sent in ug/L?'
    """
    said = finding.rule if finding.value is None else f"{finding.value} {finding.rule}"
    return f"{said}; {finding.remedy}"
