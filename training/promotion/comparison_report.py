"""A comparison of champion and challenger, for a person: a table and a plot; for programs: JSON; and in MLflow."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.canonical import canonical_json
from training.paired import LEVEL, Difference
from training.plots import INK, POINT, plain_text
from training.promotion.comparison import Comparison, Group, Side
from training.promotion.elsewhere import Transport
from training.registry import CHALLENGER, CHAMPION, PACK_TAG
from training.run_record import KIND_TAG

COLUMNS = (
    ("rmse", "RMSE"),
    ("r2", "R2"),
    ("interval_score", "score"),
    ("coverage", "coverage"),
    ("interval_width", "width"),
    ("calibration_slope", "slope"),
)
DOCUMENT, PLOT = "comparison.json", "comparison.png"
SIMULATED = "SIMULATED cohort: figures of the simulation, and nothing about patients."


def as_text(found: Comparison) -> str:
    """The tables."""
    overall = found.overall
    assert overall.figures is not None
    assert overall.differences is not None
    assert overall.relative_rmse is not None
    lines = [
        f"{found.challenger.name} on {found.cohort}: {overall.patients} patients, {overall.examples} index visits "
        "that both forecast honestly",
        *([SIMULATED] if found.simulated else []),
        _said(CHAMPION, found.champion),
        _said(CHALLENGER, found.challenger),
        f"Rates in {found.unit}; coverage aimed at 0.90; slope of observed on predicted.",
        "",
        f"{'':18}" + "".join(f"{heading:>10}" for _, heading in COLUMNS),
    ]
    lines += [
        f"{name:18}" + "".join(f"{row[key]:10.3f}" for key, _ in COLUMNS) for name, row in overall.figures.items()
    ]
    lines += ["", f"Challenger minus champion ({LEVEL:.0%} interval, bootstrap by patient):"]
    lines += [
        f"  {heading:10} {_difference(overall.differences[key])}"
        for key, heading in COLUMNS
        if key in overall.differences
    ]
    ratio = overall.relative_rmse
    lines.append(f"  {'RMSE, share':10} {ratio.estimate:+.2%} ({ratio.lower:+.2%} to {ratio.upper:+.2%})")
    lines.append(f"  the predicted band changes at {overall.band_changes:.1%} of the index visits")
    lines += ["", "By subgroup (RMSE champion, challenger, difference; coverage of the challenger):"]
    lines += [_row(group) for group in found.subgroups]
    lines += ["", "Challenger's recipe refitted without a site:", *_transport(found.sites)]
    lines += ["Challenger's recipe refitted on earlier patients:", *_transport(found.time)]
    return "\n".join(lines)


def as_json(found: Comparison) -> bytes:
    """The whole as canonical JSON; what is not a number is null."""
    return canonical_json(_plain(asdict(found)))


def write(found: Comparison, folder: Path) -> None:
    """Write ``comparison.json`` and ``comparison.png`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_bytes(as_json(found))
    plot(found).savefig(folder / PLOT)


def log(found: Comparison) -> str:
    """Log it as an MLflow run of its own and return the run's id."""
    import mlflow

    tags = {
        KIND_TAG: "comparison",
        "tregcast.model": found.challenger.name,
        "tregcast.cohort": found.cohort,
        "tregcast.cohort_digest": found.cohort_digest,
        "tregcast.simulated": str(found.simulated).lower(),
        **_sides_tags(found),
    }
    named = f"{found.challenger.name} {found.challenger.version} against {found.champion.version} on {found.cohort}"
    with mlflow.start_run(run_name=named, tags=tags) as run:
        assert found.overall.figures is not None
        metrics = {
            f"{name.replace(' ', '_').replace('-', '_').lower()}_{key}": value
            for name, row in found.overall.figures.items()
            for key, value in row.items()
            if math.isfinite(value)
        }
        mlflow.log_metrics({**metrics, "patients": found.overall.patients, "examples": found.overall.examples})
        mlflow.log_text(as_json(found).decode(), DOCUMENT)
        mlflow.log_figure(plot(found), PLOT)
        return str(run.info.run_id)


@plain_text
def plot(found: Comparison) -> Figure:
    """The paired difference of the RMSE with its interval, overall and by subgroup; left of 0 is better."""
    shown = [group for group in (found.overall, *found.subgroups) if group.differences is not None]
    figure = Figure(figsize=(8, 0.3 * len(shown) + 1.8), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for position, group in enumerate(shown):
        assert group.differences is not None
        d = group.differences["rmse"]
        axes.plot([d.lower, d.upper], [position, position], color=POINT, linewidth=1.5)
        axes.plot(d.estimate, position, "o", color=POINT)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(
        range(len(shown)),
        [f"{'all' if group.kind == 'all' else group.name} ({group.patients})" for group in shown],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xlabel(f"RMSE, challenger minus champion (points/month), {LEVEL:.0%} interval; left of 0 is better")
    simulated = " (SIMULATED)" if found.simulated else ""
    axes.set_title(
        f"{found.challenger.name}: version {found.challenger.version} against {found.champion.version} "
        f"on {found.cohort}{simulated}\npatients in brackets",
        fontsize=10,
        loc="left",
        color=INK,
    )
    return figure


def _sides_tags(found: Comparison) -> dict[str, str]:
    tags = {}
    for role, side in ((CHAMPION, found.champion), (CHALLENGER, found.challenger)):
        tags[f"{PACK_TAG}.{role}"] = side.pack_id
        tags[f"tregcast.version.{role}"] = side.version
    return tags


def _said(role: str, side: Side) -> str:
    ways = ", ".join(f"{count} {way}" for way, count in side.ways.items())
    return f"{role:11} version {side.version}, pack {side.pack_id[:12]}; index visits: {ways}"


def _difference(found: Difference) -> str:
    told = "" if found.clear else "  cannot be told from no difference"
    return f"{found.estimate:+.4f} ({found.lower:+.4f} to {found.upper:+.4f}){told}"


def _row(group: Group) -> str:
    name = f"  {group.name:28} {group.patients:5} patients"
    if group.figures is None or group.differences is None:
        return f"{name}  too small"
    before, after = group.figures[CHAMPION], group.figures[CHALLENGER]
    d = group.differences["rmse"]
    return (
        f"{name}  {before['rmse']:.3f} {after['rmse']:.3f}  {d.estimate:+.4f} ({d.lower:+.4f} to {d.upper:+.4f})"
        f"  {after['coverage']:.3f}"
    )


def _transport(found: Transport) -> list[str]:
    if found.why_not:
        return [f"  {found.why_not}"]
    return [
        f"  {each.left_out:24} {each.patients:5} patients  RMSE {each.figures['rmse']:.3f} "
        f"(mean rate {each.mean_rmse:.3f})  R2 {each.figures['r2']:.3f}  coverage {each.figures['coverage']:.3f}"
        for each in found.tried
    ]


def _plain(value: object) -> object:
    """As JSON has it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
