"""A lineage and its decisions, for a person; for programs: JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from model.canonical import canonical_json
from training.promotion.decisions import Decision, Verdict
from training.promotion.lineage import Lineage

FIGURES = ("rmse", "mae", "r2", "correlation", "coverage", "interval_width", "interval_score")


def as_text(found: Lineage) -> str:
    """Where the version comes from, through which gates it went, and who was champion before it."""
    version = found.version
    lines = [
        f"{version.name} version {version.version} ({', '.join(version.aliases) or 'no alias'})",
        f"Pack      {version.pack_id}",
    ]
    if found.run is not None:
        lines.append(f"Run       {found.run.run_id}, {found.run.started}")
    lines += _table("Cohort", found.cohort) + _table("Recorded", found.record) + _table("Settings", found.settings)
    figures = {key: f"{found.figures[f'cv_{key}']:.3f}" for key in FIGURES if f"cv_{key}" in found.figures}
    lines += _table("Cross-validated", figures)
    lines += ["", *_decisions(found)]
    if found.problems:
        lines += ["", "NOT IN ORDER:", *(f"  - {problem}" for problem in found.problems)]
    else:
        lines += ["", "The chain of decisions is whole, the pack verifies."]
    return "\n".join(lines)


def as_json(found: Lineage) -> bytes:
    """All of it as canonical JSON."""
    return canonical_json(
        {
            "name": found.version.name,
            "version": found.version.version,
            "aliases": list(found.version.aliases),
            "pack_id": found.version.pack_id,
            "run_id": None if found.run is None else found.run.run_id,
            "started": None if found.run is None else found.run.started,
            "cohort": dict(found.cohort),
            "recorded": dict(found.record),
            "settings": dict(found.settings),
            "figures": dict(found.figures),
            "decision": None if found.decision is None else asdict(found.decision),
            "about": [asdict(decision) for decision in found.about],
            "before": [asdict(decision) for decision in found.before],
            "problems": list(found.problems),
        }
    )


def gates_text(gates: Sequence[Verdict]) -> list[str]:
    """A line a gate: whether it holds, its figure, its bound."""
    return [
        f"  {'pass' if verdict.passed else 'FAIL'}  {verdict.gate:22} {verdict.figure}  [{verdict.bound}]"
        + ("" if verdict.passed or verdict.liftable else "  (no reason lifts this)")
        for verdict in gates
    ]


def decision_text(decision: Decision) -> list[str]:
    """A decision with its gates."""
    return [decision.sentence, *gates_text(decision.gates)]


def _decisions(found: Lineage) -> list[str]:
    lines = []
    if found.decision is None:
        lines.append("No decision made this version champion.")
    else:
        lines += ["Champion by:", *decision_text(found.decision)]
        if found.decision.cohort:
            lines.append(
                f"  compared on {found.decision.cohort} (digest {found.decision.cohort_digest[:12]}), run "
                f"{found.decision.comparison_run}"
            )
    others = [decision for decision in found.about if decision is not found.decision]
    if others:
        lines += ["", "Also decided on it:", *(f"  {decision.sentence}" for decision in others)]
    if found.before:
        lines += ["", "Champions before:", *(f"  {decision.sentence}" for decision in found.before)]
    return lines


def _table(title: str, found: Mapping[str, object]) -> list[str]:
    if not found:
        return []
    width = max(len(key) for key in found)
    return [title, *(f"  {key:{width}}  {value}" for key, value in found.items())]
