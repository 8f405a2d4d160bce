"""``tregcast evaluate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import click

from commands.options import (
    FILE,
    FOLDER,
    Fault,
    index_visits_option,
    mapping_option,
    require_folder,
    settings_option,
    tell,
    tracking_uri_option,
    worth_workers_option,
    writing,
)


@click.command("evaluate")
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@index_visits_option
@settings_option
@click.option(
    "--only",
    metavar="WORD",
    multiple=True,
    help="Only markers with this word in their name, as treg, each alone and together; may be given again.",
)
@worth_workers_option
@click.option("--out", type=FOLDER, help="Folder for worth.json and worth.png.")
@tracking_uri_option
def evaluate_markers(
    cohort_file: Path,
    mapping: Path | None,
    seed: int,
    index_visits: Literal["every", "first"],
    settings: str | None,
    only: tuple[str, ...],
    workers: int,
    out: Path | None,
    tracking_uri: str | None,
) -> None:
    """Say what each marker is worth in COHORT: cross-validated, with and without it, on the same patients."""
    from features.mapping import MappingError
    from training.cohort import CohortError, read_cohort
    from training.examples import examples_of
    from training.fit import regressor_for
    from training.settings import DEFAULTS, SettingsError, settings_of
    from training.side_by_side import WorkerLost
    from training.tracking import StoreError
    from training.worth import markers_like, worth
    from training.worth_report import as_text, write

    try:
        markers = markers_like(only) if only else None
    except ValueError as error:
        raise Fault(f"--only: {error}") from error
    if out is not None:
        require_folder(out)
    try:
        cohort = read_cohort(cohort_file, mapping, index_visits=index_visits, progress=tell)
        chosen = settings_of(settings, tracking_uri) if settings else DEFAULTS
        found = worth(
            examples_of(cohort),
            only=markers,
            seed=seed,
            make=partial(regressor_for, settings=chosen),
            workers=workers,
            progress=tell,
        )
    except (CohortError, MappingError, SettingsError, StoreError, WorkerLost) as error:
        raise Fault(str(error)) from error
    click.echo(as_text(found, cohort.name, simulated=cohort.simulated))
    if out is not None:
        with writing(out):
            write(found, cohort.name, out, simulated=cohort.simulated)
        click.echo(f"\nWritten: {out / 'worth.json'}, {out / 'worth.png'}")
