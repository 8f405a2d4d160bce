"""``tregcast cohort``: make and inspect cohorts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import NEW_FILE, Fault

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
    from training.reference_cohort import provenance
    from training.reference_cohort import simulate as draw

    frame = draw(patients, seed, treg_effect=treg_effect)
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    click.echo(f"{out}: {len(frame)} visits of {patients} simulated patients")


@cohort.command()
@_drawn
def oracle(patients: int, seed: int, treg_effect: bool, out: Path) -> None:
    """Write the best answer there can be for each patient of a simulated cohort.

    Draws the cohort of the same options again and writes, a row a patient, the exact distribution of the true rate
    given all that was measured at enrolment and before, and the true rate itself. See docs/oracle.md.
    """
    from training.oracle import oracle_table
    from training.reference_cohort import draw, provenance

    frame = oracle_table(draw(patients, seed, treg_effect=treg_effect))
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    click.echo(f"{out}: the oracle's answers for {patients} simulated patients")


def _write(frame: pd.DataFrame, out: Path) -> None:
    from training.table_file import write_table

    try:
        write_table(frame, out)
    except (OSError, ValueError) as error:
        raise Fault(str(error)) from error
