"""The page of ``tregcast score --report``: answers by `scoring`, what came and how good they were by `training`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import Fault

if TYPE_CHECKING:
    from features.mapping import ColumnMapping
    from features.record import PatientRecord
    from model.pack import Pack
    from scoring.report.afterwards import Afterwards, Outcome
    from scoring.report.chosen import Chosen
    from scoring.report.figures import Judged, Later, Picture, Spread
    from scoring.report.trained_on import TrainedOn
    from scoring.runs.run import Job
    from scoring.summary import Summary
    from training.report.accuracy import Estimate

NEEDED = ("jinja2", "matplotlib", "scipy", "sklearn", "xgboost")


def require_report(path: Path, job: Job) -> None:
    """Before anything is scored: what a page needs is there, and its place is free.

    Raises:
        Fault: told all at once.
    """
    from importlib.util import find_spec

    problems = []
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        problems.append(f"--report needs {', '.join(missing)}; pip install 'tregcast[train]', or score without it")
    if path.suffix not in {".html", ".htm"}:
        problems.append(f"{path}: a report is a page; name a .html file")
    place = path.resolve()
    if place == job.input.resolve() or job.input.resolve() in place.parents:
        problems.append(f"{path}: it is, or is in, the input; name another file")
    if place in {target.resolve() for target in job.targets}:
        problems.append(f"{path}: answers, rejects, summary and report need a file each; name another")
    if not path.parent.is_dir():
        problems.append(f"{path}: its folder is not there; make it first")
    if os.path.lexists(path) and not job.overwrite:
        problems.append(f"{path}: there already; name another file, or give --overwrite")
    if problems:
        raise Fault("; ".join(problems))


def write_report(path: Path, job: Job, pack: Pack, summary: Summary) -> None:
    """Read the answers back, find what came after them, and write the page, whole or not at all.

    Raises:
        ScoringFault, OSError: the input or the answers cannot be read again, or the page not be written.
    """
    from features.mapping import ColumnMapping, read_mapping
    from scoring.report.figures import ScoredFile
    from scoring.report.page import page
    from scoring.report.trained_on import trained_on
    from scoring.results.placed import place, unfinished, written

    mapping = ColumnMapping() if job.mapping is None else read_mapping(job.mapping)
    chosen, came = _came(job, mapping, pack, summary)
    spread = _answers(job.out, came)
    trained = trained_on(pack.card, job.input, job.mapping, summary.rows)
    if trained.is_warning:
        click.echo("Warning: the pack was trained on this cohort; what the report says of it is too good", err=True)
    later = _later(trained, pack, summary, chosen, came)
    scored = ScoredFile(job.input.name, job.out.name, summary, spread, _pictures(spread, summary), later)
    try:
        with written(path) as file:
            file.write(page(scored))
        place(path)
    finally:
        unfinished(path).unlink(missing_ok=True)


def _came(
    job: Job, mapping: ColumnMapping, pack: Pack, summary: Summary
) -> tuple[Chosen | None, Afterwards | None]:
    """Whose visits are looked at, and what came after them."""
    from scoring.fault import InputFault
    from scoring.report.afterwards import afterwards
    from scoring.report.chosen import chosen
    from scoring.runs.plan import digest_of
    from scoring.sources.opening import open_source

    source = open_source(job.input, mapping)
    if digest_of(job.input, source.files) != summary.input["input_digest"]:
        raise InputFault(f"{job.input}: it was changed after it was scored; score it again")
    found = chosen(source)
    if found is None:
        return None, None
    scale = pack.predictor.matrix.scale
    return found, afterwards(found, mapping, scale, _outcome(pack), summary.settings.today)


def _outcome(pack: Pack) -> Outcome:
    """The outcome that the pack was trained on."""
    from training.outcome import NoOutcome, outcome

    scale = pack.predictor.matrix.scale

    def rate(record: PatientRecord, visit: int) -> float | None:
        found = outcome(record, visit, scale)
        return None if isinstance(found, NoOutcome) else found.progression_rate

    return rate


def _answers(out: Path, came: Afterwards | None) -> Spread:
    """All answers, counted; those that something came after are noted there."""
    from scoring.report.answers import answers_in
    from scoring.report.figures import Spread

    spread = Spread()
    for answers in answers_in(out):
        spread.take(answers)
        if came is not None:
            came.take(answers)
    return spread


def _later(
    trained: TrainedOn, pack: Pack, summary: Summary, chosen: Chosen | None, came: Afterwards | None
) -> Later:
    from scoring.report.figures import Later

    if chosen is None or came is None:
        words = (
            "Nothing can be observed: no rows of the input share a patient, so it does not tell how any went on."
        )
        return Later(words, trained, None)
    of = f"all {chosen.patients:,} patients" if chosen.all_of_them else _sample_words(chosen)
    answered = came.answered()
    words = f"Looked at were the visits of {of}: {len(came.rows):,} of {len(chosen.rows):,} rows have an outcome"
    if not len(came.rows):
        return Later(f"Nothing can be observed. {words}: no patient has later visits that make one.", trained, None)
    words += f", {len(answered.rows):,} of them an answer too."
    judged = _judged(answered, pack, summary.settings.coverage)
    if judged is None:
        words += " That is too little to judge the answers by."
    return Later(words, trained, judged)


def _sample_words(chosen: Chosen) -> str:
    import numpy as np

    taken = len(np.unique(chosen.patient))
    return f"{taken:,} of about {chosen.patients:,} patients, chosen by a hash of their identifier"


def _judged(answered: Afterwards, pack: Pack, coverage: float) -> Judged | None:
    from scoring.report.figures import Figure, Judged, Picture, Tenth
    from training.metrics import Forecasts
    from training.report.drawing import style
    from training.report.judgement import judgement
    from training.report.report_figures import calibration

    def figure(found: Estimate) -> Figure:
        return Figure(found.value, found.lower, found.upper)

    forecasts = Forecasts(answered.rate, answered.interval, coverage)
    scale = pack.predictor.matrix.scale
    found = judgement(answered.observed, forecasts, answered.patient.astype(str), answered.delta_fs, scale)
    if found is None:
        return None
    with style("calibration"):
        drawn = calibration(found.calibration, coverage)
    line = found.calibration
    return Judged(
        visits=found.visits,
        patients=found.patients,
        overall={name: figure(each) for name, each in found.overall.items()},
        bands=found.bands,
        baselines=found.baselines,
        slope=figure(line.slope),
        bias=figure(line.bias),
        tenths=tuple(Tenth(t.examples, t.predicted, figure(t.observed), t.interval) for t in line.tenths),
        picture=Picture(drawn.svg, drawn.words),
    )


def _pictures(spread: Spread, summary: Summary) -> tuple[Picture, ...]:
    from scoring.report.drawings import draw_rates, draw_widths
    from scoring.report.figures import Picture
    from training.report.drawing import drawing, figure_of, style

    if not spread.rates.total:
        return ()
    pictures = []
    for name in ("rates", "widths"):
        with style(name):
            figure, axes = figure_of(6.4, 3.6)
            if name == "rates":
                words = draw_rates(axes, spread.rates, summary.tally.bands)
            else:
                words = draw_widths(axes, spread.widths)
            drawn = drawing(figure, name, words)
        pictures.append(Picture(drawn.svg, drawn.words))
    return tuple(pictures)
