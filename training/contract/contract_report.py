"""The check of a cohort file, told: as text for a terminal, as JSON for programs, as one page of HTML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from features.derive import SCALE_MAXIMUM
from features.near_match import near_columns
from features.units import amount
from training.contract.column_summary import ColumnSummary
from training.contract.contract import Checked, lines_of
from training.contract.contract_finding import Finding, Severity
from training.contract.contract_groups import Group, groups, place, sentence
from training.contract.outcome_coverage import OutcomeCoverage, Spread

FORMAT, FORMAT_VERSION = "tregcast-cohort-check", 1
SHOWN_ON_TERMINAL, SHOWN_ON_PAGE = 3, 100
SIMULATED = "SIMULATED: patients in it never lived."


def as_text(checked: Checked, *, columns: bool = False) -> str:
    """A short account: what it is, what has an outcome, and the findings in groups.

    Args:
        checked: the check.
        columns: whether to list every column with its unit and range.
    """
    lines = [_headline(checked), f"Provenance: {checked.table.provenance}"]
    lines += [SIMULATED] if checked.simulated else []
    lines += ["", *outcome_lines(checked.outcome)]
    lines += ["", *_column_lines(checked.columns)] if columns else []
    lines += ["", counts(checked)]
    for group in groups(checked.findings):
        lines += ["", *_group_lines(group, checked)]
    return "\n".join(lines)


def as_json(checked: Checked) -> str:
    """Everything, with all findings; the shape is in docs/cohorts.md."""
    return json.dumps(document(checked), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_html(checked: Checked) -> str:
    """One page that needs nothing from outside and no script. Every text of the file is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(place=place, sentence=sentence, short=_short)
    template = environment.from_string(files("training.contract").joinpath("contract.html.j2").read_text("utf-8"))
    return template.render(
        checked=checked,
        headline=_headline(checked),
        simulated=SIMULATED if checked.simulated else "",
        counts=counts(checked),
        outcome_lines=outcome_lines(checked.outcome),
        groups=groups(checked.findings),
        shown=SHOWN_ON_PAGE,
        near={header: near_columns(header) for header in checked.table.unused_headers},
    )


def document(checked: Checked) -> dict[str, object]:
    """The JSON document."""
    table = checked.table
    lines = lines_of(table, checked.findings)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "file": table.path.name,
        "index_visits": checked.index_visits,
        "exit_code": checked.exit_code,
        "counts": {severity.value: len(checked.of(severity)) for severity in Severity},
        "cohort": {
            "name": table.name,
            "provenance": table.provenance,
            "simulated": checked.simulated,
            "scale": table.scale,
            "rows": len(table.rows),
            "patients": checked.patients,
            "sites": dict(checked.sites),
        },
        "findings": [_finding(each, line) for each, line in zip(checked.findings, lines, strict=True)],
        "columns": [asdict(column) for column in checked.columns],
        "unused_headers": {header: list(near_columns(header)) for header in table.unused_headers},
        "outcome": asdict(checked.outcome),
    }


def write(checked: Checked, *, json_path: Path | None = None, html_path: Path | None = None) -> None:
    """Write the reports that are asked for.

    Raises:
        OSError: a file cannot be written.
    """
    for path, render in ((json_path, as_json), (html_path, as_html)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(checked), "utf-8")


def counts(checked: Checked) -> str:
    """How many findings of each severity."""
    told = [f"{len(checked.of(s))} {s.value}{'' if len(checked.of(s)) == 1 else 's'}" for s in Severity]
    return "Found: " + ", ".join(told)


def outcome_lines(found: OutcomeCoverage) -> list[str]:
    """What has an outcome, why the rest has none, and what so many patients allow to be said."""
    lines = [
        f"Outcome: {found.patients_with} of {found.patients} patients have one, at {found.index_visits} visits"
    ]
    reasons = [*found.patients_without]
    reasons += [("refused for a problem in their rows", found.patients_refused)] if found.patients_refused else []
    lines += [f"  {patients} patients: {reason}" for reason, patients in reasons]
    if found.outcome_visits is not None and found.outcome_months is not None and found.rate is not None:
        lines.append(
            f"  each rests on {_middle(found.outcome_visits)} visits over {_middle(found.outcome_months)} months; "
            f"rate {_middle(found.rate)} points/month (median, quartiles)"
        )
    if not found.enough:
        return [*lines, f"  too few to train: at least {found.fewest_patients} patients with an outcome are needed"]
    return [
        *lines,
        f"  a 90 % interval is {found.width_at_most:.2f} points/month wide without any marker; with the "
        f"noise of the score alone, about {found.width_at_least:.2f}",
        f"  with {found.patients_with} patients, coverage will be known to +-{found.coverage_error:.1%} "
        f"(1 SE), the RMSE to +-{found.rmse_error:.0%}",
    ]


def _headline(checked: Checked) -> str:
    table = checked.table
    number = len(checked.sites)
    sites = f" at {number} site{'' if number == 1 else 's'}" if number else ""
    scale = f"{table.scale} (0-{SCALE_MAXIMUM[table.scale]:g})"
    return (
        f"{table.name}: {len(table.rows)} visits of {checked.patients} patients{sites}, "
        f"{len(checked.columns)} columns; the outcome counts {scale}"
    )


def _group_lines(group: Group, checked: Checked) -> list[str]:
    number = len(group.findings)
    about = ", ".join(group.columns)
    many = f" ({number})" if number > 1 else ""
    lines = [f"{group.severity.value.upper():8}{group.code}{many}{f': {about}' if about else ''}"]
    if group.merged:
        return [*lines, f"  {sentence(group.findings[0])}"]
    for each in group.findings[:SHOWN_ON_TERMINAL]:
        where = place(each, checked.table) or (each.column or "" if len(group.columns) > 1 else "")
        lines.append(f"  {where}: {sentence(each)}" if where else f"  {sentence(each)}")
    if number > SHOWN_ON_TERMINAL:
        lines.append(f"  ... and {number - SHOWN_ON_TERMINAL} more (--json has them all)")
    return lines


def _column_lines(columns: Sequence[ColumnSummary]) -> list[str]:
    lines = [f"{'column':26}{'visits':>7}{'patients':>9}  range seen (minimum, quartiles, maximum)"]
    for each in columns:
        seen = ", ".join(f"{value} {count}" for value, count in each.values[:5])
        if each.range is not None:
            numbers = " ".join(_short(value) for value in asdict(each.range).values())
            seen = amount(numbers, each.canonical_unit or "")
        lines.append(f"{each.column:26}{each.visits:7}{each.patients:9}  {seen}".rstrip())
    return lines


def _finding(finding: Finding, line: int | None) -> dict[str, object]:
    return {**asdict(finding), "severity": finding.severity.value, "line": line}


def _middle(found: Spread) -> str:
    return f"{_short(found.median)} ({_short(found.lower_quartile)}-{_short(found.upper_quartile)})"


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
