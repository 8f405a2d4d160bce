"""What each marker is worth, for a person: a table with one sentence each, a plot; for programs: JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.canonical import canonical_json
from training.paired import LEVEL
from training.plots import INK, POINT, plain_text
from training.worth import Comparison, Worth

SETS = (
    ("rmse", "RMSE"),
    ("r2", "R2"),
    ("interval_width", "width"),
    ("interval_score", "score"),
    ("coverage", "coverage"),
)
ABOVE, OTHERS = "those above it", "all others"
SIMULATED = "SIMULATED cohort: what was put into the simulation, and nothing about patients."


def as_text(worth: Worth, cohort: str, *, simulated: bool) -> str:
    """The tables and sentences."""
    width = max(len(name) for name in worth.overall) + 2
    lines = [f"What each marker is worth in {cohort} (cross-validated; differences paired by patient)"]
    lines += [
        "95 % intervals: the wider of what resampled patients and what the fits of different folds leave open."
    ]
    lines += [SIMULATED] if simulated else []
    lines += ["", " " * width + "".join(f"{heading:>10}" for _, heading in SETS)]
    for name, found in worth.overall.items():
        lines.append(f"{name:{width}}" + "".join(f"{found[key]:10.3f}" for key, _ in SETS))
    together = [] if worth.together is None else [worth.together]
    tables: dict[str, Sequence[Comparison]] = {
        "Added, from the top down": worth.ladder,
        "Alone taken away": worth.left_out,
    }
    if together:
        tables["Taken away together"] = together
    for title, comparisons in tables.items():
        lines += ["", f"{title} (difference, {LEVEL:.0%} interval):", *_table(comparisons)]
    lines += ["", *(f"- {comparison.sentence}" for comparison in (*worth.ladder, *together))]
    lines += [
        f"- This cohort has no measurement of {marker}; nothing can be said of it." for marker in worth.absent
    ]
    return "\n".join(lines)


def write(worth: Worth, cohort: str, folder: Path, *, simulated: bool) -> None:
    """Write ``worth.json`` and ``worth.png`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "cohort": cohort,
        "simulated": simulated,
        "overall": {name: dict(found) for name, found in worth.overall.items()},
        "ladder": [_document(comparison) for comparison in worth.ladder],
        "left_out": [_document(comparison) for comparison in worth.left_out],
        "together": None if worth.together is None else _document(worth.together),
        "absent": list(worth.absent),
    }
    (folder / "worth.json").write_bytes(canonical_json(document))
    plot(worth, cohort, simulated=simulated).savefig(folder / "worth.png")


@plain_text
def plot(worth: Worth, cohort: str, *, simulated: bool) -> Figure:
    """Change of the RMSE and of the interval's width by marker, with intervals: added, and alone taken away."""
    figure = Figure(figsize=(10, 0.5 * max(len(worth.ladder), 2) + 2), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    title = f"What each marker is worth in {cohort}{' (SIMULATED)' if simulated else ''}; left of 0 is better"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left", color=INK)
    panels = (("RMSE (points/month)", "rmse"), ("the 90 % interval's width (share)", "relative_width"))
    for axes, (label, key) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        for offset, marker, name, found in (
            (-0.12, "o", ABOVE, worth.ladder),
            (0.12, "s", OTHERS, worth.left_out),
        ):
            for position, comparison in enumerate(found):
                d = comparison.relative_width if key == "relative_width" else comparison.differences[key]
                colour = POINT if name == ABOVE else "#888888"
                axes.plot([d.lower, d.upper], [position + offset] * 2, color=colour, linewidth=1.5)
                axes.plot(d.estimate, position + offset, marker, color=colour, label=None if position else name)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(f"change of {label}")
    first = figure.axes[0]
    first.set_yticks(range(len(worth.ladder)), [comparison.marker for comparison in worth.ladder])
    first.set_ylim(max(len(worth.ladder), 1) - 0.5, -0.5)  # the first on top, none on the edge
    if worth.ladder:
        figure.axes[1].legend(frameon=False, fontsize=8, title="joining", title_fontsize=8)
    return figure


def _table(comparisons: Sequence[Comparison]) -> list[str]:
    lines = []
    name = max([24, *(len(found.marker) for found in comparisons)])
    for found in comparisons:
        rmse, width = found.differences["rmse"], found.relative_width
        lines.append(
            f"  {found.marker:{name}} {found.patients:5} patients  RMSE {rmse.estimate:+.4f} "
            f"({rmse.lower:+.4f} to {rmse.upper:+.4f})  width {width.estimate:+.1%} "
            f"({width.lower:+.1%} to {width.upper:+.1%})  band changes {found.band_changes:.1%}"
        )
    return lines


def _document(comparison: Comparison) -> dict[str, object]:
    return {**asdict(comparison), "sentence": comparison.sentence}
