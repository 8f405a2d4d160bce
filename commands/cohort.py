"""``tregcast cohort``: make and inspect cohorts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from commands.options import FILE, NEW_FILE, Fault, index_visits_option, mapping_option, tell_result

if TYPE_CHECKING:
    import pandas as pd


@click.group()
def cohort() -> None:
    """Make and inspect cohorts: long tables, one row a visit."""


def _drawn(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that draws simulated patients."""
    for option in (
        click.option("--out", type=NEW_FILE, required=True, help="A .parquet or .csv file."),
        click.option(
            "--treg-effect/--no-treg-effect",
            default=True,
            help="Without: as the contrary evidence has it (Cui 2022), Tregs say nothing of the rate.",
        ),
        click.option("--seed", type=click.IntRange(0), default=7, show_default=True),
        click.option("--patients", type=click.IntRange(1, 1_000_000), default=1000, show_default=True),
    ):
        command = option(command)
    return command


@cohort.command()
@_drawn
def simulate(patients: int, seed: int, treg_effect: bool, out: Path) -> None:
    """Draw the SIMULATED reference cohort: no patient in it has ever lived."""
    from training.reference.reference_cohort import provenance
    from training.reference.reference_cohort import simulate as draw

    frame = draw(patients, seed, treg_effect=treg_effect)
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    tell_result(f"{out}: {len(frame)} visits of {patients} simulated patients", f"{out} is in its place")


@cohort.command()
@_drawn
def oracle(patients: int, seed: int, treg_effect: bool, out: Path) -> None:
    """Write the best answer there can be for each patient of a simulated cohort.

    Draws the cohort of the same options again and writes, a row a patient, the exact distribution of the true rate
    given all that was measured at enrolment and before, and the true rate itself. See docs/oracle.md.
    """
    from training.reference.oracle import oracle_table
    from training.reference.reference_cohort import draw, provenance

    frame = oracle_table(draw(patients, seed, treg_effect=treg_effect))
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    tell_result(f"{out}: the oracle's answers for {patients} simulated patients", f"{out} is in its place")


@cohort.command()
@click.argument("cohort_file", metavar="FILE", type=FILE)
@mapping_option
@index_visits_option
@click.option("--json", "json_path", type=NEW_FILE, help="Write everything that was found, for programs.")
@click.option(
    "--html", "html_path", type=NEW_FILE, help="Write one page for people, with a picture of each column."
)
@click.option("--columns", is_flag=True, help="List every column with its unit and range.")
@click.pass_context
def check(
    context: click.Context,
    cohort_file: Path,
    mapping: Path | None,
    index_visits: Literal["every", "first"],
    json_path: Path | None,
    html_path: Path | None,
    columns: bool,
) -> None:
    """Say what is wrong and what is odd in FILE, and what was understood of it.

    FILE is a CSV or Parquet file, one row a visit. What training would refuse is an error, what it would use but a
    person should look at a warning.

    Exit code: 0 no error and no warning, 3 warnings, 4 errors, 2 the file or the mapping cannot be used at all.
    """
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.contract.contract import check as run
    from training.contract.contract_report import as_text, write

    try:
        checked = run(cohort_file, mapping, index_visits=index_visits)
        write(checked, json_path=json_path, html_path=html_path)
    except (CohortError, MappingError) as error:
        raise Fault(str(error)) from error
    except OSError as error:
        raise Fault(f"the report cannot be written: {error}") from error
    click.echo(as_text(checked, columns=columns))
    for path in (json_path, html_path):
        if path is not None:
            click.echo(f"\nWritten: {path}")
    context.exit(checked.exit_code)


@cohort.command()
@click.argument("out", type=NEW_FILE)
@click.option("--dictionary", type=NEW_FILE, help="A .csv or .md file; by default OUT's name with -dictionary.md.")
def template(out: Path, dictionary: Path | None) -> None:
    """Write an empty table with every header of the vocabulary to OUT (.csv), and a data dictionary beside it."""
    from training.contract.template import write_dictionary, write_template

    dictionary = out.with_name(f"{out.stem}-dictionary.md") if dictionary is None else dictionary
    try:
        write_template(out)
        write_dictionary(dictionary)
    except (OSError, ValueError) as error:
        raise Fault(str(error)) from error
    tell_result(
        f"{out}: fill in one row a visit; {dictionary} says what each column holds", f"{out} is in its place"
    )


def _write(frame: pd.DataFrame, out: Path) -> None:
    from training.table_file import write_table

    try:
        write_table(frame, out)
    except (OSError, ValueError) as error:
        raise Fault(str(error)) from error
