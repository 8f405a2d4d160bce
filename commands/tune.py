"""``tregcast tune``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from commands.options import (
    FILE,
    NEW_FILE,
    Fault,
    index_visits_option,
    mapping_option,
    require_folder,
    tell,
    tracking_uri_option,
    writing,
)

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from training.tuning.tune import Standing

STOPPED = 130  # as a shell has it for Ctrl-C


@click.command()
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@click.option(
    "--trials",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="In all, those of earlier runs of the same study counted.",
)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Begin no trial after so long.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--name", metavar="STUDY", help="Name of the study; by default one that cohort, seed and version give."
)
@index_visits_option
@click.option(
    "--outer",
    metavar="K",
    type=click.IntRange(0, 20),
    default=0,
    show_default=True,
    help="Repeat the search inside each of K outer folds, and say honestly what tuning is worth.",
)
@click.option("--out", type=NEW_FILE, default=Path("settings.json"), show_default=True, help="The best settings.")
@click.option(
    "--storage",
    metavar="URL",
    envvar="TREGCAST_STORAGE",
    help="Database of the study, as SQLAlchemy names it; default tuning.db beside the MLflow store.",
)
@tracking_uri_option
def tune(
    cohort_file: Path,
    mapping: Path | None,
    trials: int,
    minutes: float | None,
    seed: int,
    name: str | None,
    index_visits: Literal["every", "first"],
    outer: int,
    out: Path,
    storage: str | None,
    tracking_uri: str | None,
) -> None:
    """Search for better settings of the trees on COHORT.

    The default settings are the first trial, so what is found is never worse by the search's own judge. The same
    command again goes on where it was, after Ctrl-C or a crash too.
    """
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.settings import as_json
    from training.tracking import StoreError
    from training.tuning.search import SearchError
    from training.tuning.tune import Interrupted, Plan
    from training.tuning.tune import tune as run
    from training.tuning.tuning_summary import as_text

    if outer == 1:
        raise Fault("--outer = 1 leaves nothing to search; give 2 or more folds, or 0 for none")
    if not out.absolute().parent.is_dir():
        raise Fault(f"--out = {out}: there is no folder {out.parent}; make it first")
    require_folder(out.parent)
    plan = Plan(trials, minutes, seed, name, index_visits, outer)
    try:
        with _Display() as display:
            found = run(
                cohort_file,
                mapping,
                plan,
                tracking_uri=tracking_uri,
                storage=storage,
                watch=display.show,
                progress=tell,
            )
    except (CohortError, MappingError, SearchError, StoreError) as error:
        raise Fault(str(error)) from error
    except Interrupted as stopped:
        click.echo(f"Stopped: {stopped}. The same command goes on from there.", err=True)
        sys.exit(STOPPED)
    with writing(out):  # if not, the search is kept: the same command with another --out has it at once
        out.write_text(as_json(found.search.best_settings), "utf-8")
    click.echo(as_text(found, _next(cohort_file, mapping, seed, index_visits, tracking_uri, out)))


class _Display:
    """How far the search is, on standard error: a bar on a terminal, a line a trial elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._part: str | None = None
        self._bar: ProgressBar[str] | None = None

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, standing: Standing) -> None:
        """Where it stands now."""
        best = "" if standing.best is None else f"best {standing.best:.5f} (default {standing.default:.5f})"
        if not self._terminal:
            ended = f"trial {standing.last.number} {standing.last.state}; " if standing.last else ""
            tell(f"{standing.part}: {ended}{standing.done} of {standing.wanted} trials; {best or 'nothing yet'}")
            return
        if standing.part != self._part:
            self._close()
            self._part = standing.part
            self._bar = click.progressbar(
                length=standing.wanted, label=standing.part, file=sys.stderr, show_pos=True, item_show_func=_shown
            )
            self._bar.__enter__()
        if self._bar is not None:
            self._bar.update(standing.done - self._bar.pos, best)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _shown(item: str | None) -> str:
    return item or ""


def _next(
    cohort: Path, mapping: Path | None, seed: int, index_visits: str, tracking_uri: str | None, out: Path
) -> str:
    """The command that trains with what was found, on the same cohort in the same way."""
    words = ["tregcast", "train", str(cohort)]
    for option, value, default in (
        ("--mapping", mapping, None),
        ("--seed", seed, 0),
        ("--index-visits", index_visits, "every"),
        ("--tracking-uri", tracking_uri, None),
    ):
        words += [] if value == default else [option, str(value)]
    return shlex.join([*words, "--settings", str(out)])
