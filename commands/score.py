"""``tregcast score``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from commands.options import (
    DEFAULT_MODEL,
    NEW_FILE,
    Fault,
    mapping_option,
    strict_option,
    tell_result,
    tracking_uri_option,
)
from commands.registry import pack_folder
from commands.score_here import reported, scored_here, stoppable
from commands.score_on_spark import scored_on_spark
from commands.score_report import require_report

if TYPE_CHECKING:
    from scoring.reject_limit import RejectLimit
    from scoring.summary import Summary

ONLY_HERE = ("rejects", "summary", "report", "resume", "workers", "chunk_rows")
ENDINGS = (".parquet", ".csv.gz", ".csv", ".ndjson.gz", ".ndjson", ".jsonl.gz", ".jsonl")


def _limit(context: click.Context, option: click.Parameter, value: str) -> RejectLimit:
    del context, option
    from scoring.reject_limit import reject_limit

    try:
        return reject_limit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT")
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@mapping_option
@click.option(
    "--explain",
    type=click.Choice(["top5", "all", "none"]),
    default="top5",
    show_default=True,
    help="The five largest contributions, a column for each feature, or none.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Of the prediction interval.",
)
@click.option("--rejects", type=NEW_FILE, help="Where rejected rows go; by default OUT's name with .rejects.csv.")
@click.option("--summary", type=NEW_FILE, help="The counts as JSON; by default OUT's name with .summary.json.")
@click.option(
    "--report", type=NEW_FILE, help="A page on the run: counts, plots and, where later visits tell, how good."
)
@click.option(
    "--max-rejects",
    metavar="N|P%",
    callback=_limit,
    default="0",
    show_default=True,
    help="With more, the exit code is 3; all files are written all the same.",
)
@click.option("--resume", is_flag=True, help="Go on with what a run left that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace what is there, and what a run left that was stopped.")
@strict_option
@click.option("--as-of", metavar="YYYY-MM-DD", help="The day that no visit may be after; by default today.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads that score; by default one a core.")
@click.option(
    "--chunk-rows",
    type=click.IntRange(1, 1_000_000),
    default=16_384,
    show_default=True,
    help="Rows that are scored, and kept for --resume, at a time.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="This machine, or a cluster: IN and OUT are then named as Spark names them, and OUT is a folder.",
)
@click.option("--master", help="Where Spark runs, e.g. local[2]; by default its own settings say it.")
@tracking_uri_option
@click.pass_context
def score(
    context: click.Context,
    source: str,
    out: str,
    pack: str,
    mapping: Path | None,
    explain: Literal["top5", "all", "none"],
    coverage: float,
    rejects: Path | None,
    summary: Path | None,
    report: Path | None,
    max_rejects: RejectLimit,
    resume: bool,
    overwrite: bool,
    strict: bool,
    as_of: str | None,
    workers: int | None,
    chunk_rows: int,
    engine: str,
    master: str | None,
    tracking_uri: str | None,
) -> None:
    """Score the rows of IN into OUT: the same answers as the service gives, a row each.

    IN is a .parquet file or a folder of them or a .csv (.csv.gz), one row a visit, or .ndjson (.jsonl, .gz), one
    record a line. OUT is .parquet, .csv or .ndjson. Every row is answered, abstained or rejected, with all reasons.

    Exit code: 0; 3 more rejects than --max-rejects; 2 the input, the mapping or the disk must be mended; 130 or 143
    stopped by Ctrl-C or SIGTERM; 1 any other failure. See docs/batch.md and docs/batch-on-spark.md.
    """
    from scoring.runs.run import Job
    from scoring.settings import ScoreSettings
    from scoring.spark.job import SparkJob

    _require_engine(context, engine)
    if engine == "spark":
        settings = ScoreSettings(explain, coverage, date.fromisoformat(_day(as_of)))
        folder = pack_folder(pack, tracking_uri)
        found = scored_on_spark(SparkJob(source, out, folder, mapping, settings, overwrite, master, strict))
        _tell(found, [out])
        context.exit(max_rejects.exit_code(found.rejected, found.rows))
    place = Path(out)
    job = Job(
        input=_there(source),
        out=place,
        rejects=_named(place, ".rejects.csv") if rejects is None else rejects,
        summary=_named(place, ".summary.json") if summary is None else summary,
        mapping=mapping,
        explain=explain,
        coverage=coverage,
        as_of=_day(as_of),
        as_of_is_given=as_of is not None,
        workers=workers or len(os.sched_getaffinity(0)),
        resume=resume,
        overwrite=overwrite,
        chunk_rows=chunk_rows,
        strict=strict,
    )
    if report is not None:
        require_report(report, job)
    with stoppable(context):
        found, loaded = scored_here(job, pack_folder(pack, tracking_uri))
    _tell(found, job.targets)
    if report is not None:
        reported(report, job, loaded, found)
    context.exit(max_rejects.exit_code(found.rejected, found.rows))


def _tell(found: Summary, written: Iterable[object]) -> None:
    places = [str(place) for place in written]
    lines = [str(found), *(f"Written: {place}" for place in places)]
    tell_result("\n".join(lines), f"the files are in their place: {', '.join(places)}")


def _there(source: str) -> Path:
    path = Path(source)
    if not path.exists():
        raise Fault(f"{source}: it is not there; name a file or a folder")
    return path


def _require_engine(context: click.Context, engine: str) -> None:
    """Options that the engine does not know are told, not passed over."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in (ONLY_HERE if engine == "spark" else ("master",))
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        other = "local" if engine == "spark" else "spark"
        raise Fault(f"{', '.join(given)}: only with --engine {other}; leave it out, or choose that engine")


def _named(out: Path, ending: str) -> Path:
    """OUT's name with another ending.

    >>> print(_named(Path("a/b.c.csv.gz"), ".rejects.csv"))
    a/b.c.rejects.csv
    """
    known = next((each for each in ENDINGS if out.name.lower().endswith(each)), "")
    return out.with_name(out.name[: len(out.name) - len(known)] + ending)


def _day(said: str | None) -> str:
    if said is None:
        return datetime.now().astimezone().date().isoformat()  # of the clock here, as a person would say it
    try:
        if len(said) != len("YYYY-MM-DD"):
            raise ValueError(said)
        return date.fromisoformat(said).isoformat()
    except ValueError:
        raise Fault(f"--as-of {said} is not a day; give YYYY-MM-DD") from None
