"""``tregcast evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from commands.options import FILE, FOLDER, Fault, mapping_option, tell


@click.command("evaluate")
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--only",
    metavar="WORD",
    multiple=True,
    help="Only markers with this word in their name, as treg, each alone and together; may be given again.",
)
@click.option("--out", type=FOLDER, help="Folder for worth.json and worth.png.")
def evaluate_markers(
    cohort_file: Path, mapping: Path | None, seed: int, only: tuple[str, ...], out: Path | None
) -> None:
    """Say what each marker is worth in COHORT: cross-validated, with and without it, on the same patients."""
    from training.cohort import CohortError, read_cohort
    from training.examples import examples_of
    from training.mapping import MappingError
    from training.worth import markers_like, worth
    from training.worth_report import as_text, write

    try:
        markers = markers_like(only) if only else None
    except ValueError as error:
        raise Fault(f"--only: {error}") from error
    try:
        cohort = read_cohort(cohort_file, mapping)
        found = worth(
            examples_of(cohort),
            only=markers,
            seed=seed,
            progress=tell,
        )
    except (CohortError, MappingError) as error:
        raise Fault(str(error)) from error
    click.echo(as_text(found, cohort.name, simulated=cohort.simulated))
    if out is not None:
        write(found, cohort.name, out, simulated=cohort.simulated)
        click.echo(f"\nWritten: {out / 'worth.json'}, {out / 'worth.png'}")
