"""A training run in one table that a person can read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from textwrap import fill

from model.fitted import overall
from training.evaluation import MODEL
from training.tracking import how_to_look
from training.train import TrainingRun

COLUMNS = (
    ("rmse", "RMSE"),
    ("mae", "MAE"),
    ("r2", "R2"),
    ("correlation", "r"),
    ("coverage", "coverage"),
    ("interval_width", "width"),
    ("interval_score", "score"),
)
BARS = 10


def summary(run: TrainingRun) -> str:
    """Cohort, cross-validated metrics beside the baselines and by band, what weighs most, and where it is kept."""
    evaluation, report = run.fitted.evaluation, run.cohort.report
    contents = run.fitted.contents
    title = f"{run.version.name} version {run.version.version} ({', '.join(run.version.aliases)})"
    lines = [
        title,
        fill(contents.statement, 100),
        "",
        f"Cohort     {run.cohort.name}: {report.patients} patients read, {report.patients_with_outcome} with an "
        f"outcome ({report.examples} index visits), {report.patients_without_outcome} without, "
        f"{report.patients_excluded} excluded",
        *(f"           excluded: {reason} ({count} patients)" for reason, count in report.excluded_patients),
        *(f"           {left_out}" for left_out in report.measured_otherwise),
        f"Evaluation {evaluation.method}; rates in {contents.predictor().unit}",
        "",
        f"{'':22}" + "".join(f"{heading:>10}" for _, heading in COLUMNS),
        *(_row(name, evaluation.overall[name]) for name in (MODEL, *(n for n in evaluation.overall if n != MODEL))),
        *(_row(f"  predicted {band}", found) for band, found in evaluation.bands.items()),
        "",
        "What weighs most (share of all contributions):",
        *_weights(run),
        "",
        f"Pack   {run.pack_id}",
        f"Run    {run.run_id}",
        f"Look   {how_to_look(run.tracking_uri)}",
        f"Serve  tregcast serve --pack models:/{run.version.name}/{run.version.version}",
    ]
    return "\n".join(lines)


def _row(name: str, found: Mapping[str, float]) -> str:
    cells = (f"{found[key]:10.3f}" if not math.isnan(found[key]) else f"{'-':>10}" for key, _ in COLUMNS)
    return f"{name:22}" + "".join(cells)


def _weights(run: TrainingRun) -> list[str]:
    contents = run.fitted.contents
    shares = overall(contents.importance)
    pairs = sorted(zip(shares, contents.matrix.features, strict=True), key=lambda pair: -pair[0])
    return [f"  {share:5.1%} {'█' * round(share * 100)} {feature.label}" for share, feature in pairs[:BARS]]
