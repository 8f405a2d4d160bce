"""``tregcast promote`` and ``tregcast rollback``: who is champion."""

from __future__ import annotations

from pathlib import Path

import click

from commands.options import FILE, Fault, mapping_option, name_option, tell, tracking_uri_option

REFUSED = 3  # the exit code of a refusal: nothing is wrong with the command, the gates do not hold


@click.command()
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@click.option("--challenger", help="models:/NAME@ALIAS or /VERSION; default: the alias challenger of --name.")
@click.option(
    "--margin",
    type=click.FloatRange(0.0, 1.0),
    help="By what share of the champion's RMSE the challenger may be worse; default: that of gates.toml, 0.02.",
)
@click.option("--override", metavar="REASON", help="Promote despite gates that a reason can lift; kept for ever.")
@click.option("--trained-on", type=FILE, help="The challenger's training cohort, where COHORT is another.")
@click.option("--trained-on-mapping", type=FILE, help="The mapping of that cohort.")
@name_option
@tracking_uri_option
def promote(
    cohort_file: Path,
    mapping: Path | None,
    challenger: str | None,
    margin: float | None,
    override: str | None,
    trained_on: Path | None,
    trained_on_mapping: Path | None,
    name: str,
    tracking_uri: str | None,
) -> None:
    """Make the challenger champion if every gate holds on COHORT; record the decision either way.

    A refusal moves nothing and ends with exit code 3.
    """
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.promotion.lineage_report import gates_text
    from training.promotion.promotion import promote as run
    from training.promotion.refit import CohortFiles
    from training.registry import Refused, StoreError

    if trained_on_mapping is not None and trained_on is None:
        raise Fault("--trained-on-mapping is given without --trained-on, the cohort that it adapts; give both")
    reference = challenger or f"models:/{name}@challenger"
    try:
        judged = run(
            CohortFiles(cohort_file, mapping),
            reference,
            margin=margin,
            override=override,
            trained_on=None if trained_on is None else CohortFiles(trained_on, trained_on_mapping),
            tracking_uri=tracking_uri,
            progress=tell,
        )
    except (CohortError, MappingError, StoreError, Refused) as error:
        raise Fault(str(error)) from error
    decision = judged.decision
    click.echo("\n".join([decision.sentence, *gates_text(decision.gates)]))
    if not decision.moves:
        click.echo(f"Nothing was moved: version {decision.from_version} stays champion.")
        raise click.exceptions.Exit(REFUSED)
    click.echo(f"{decision.model} version {decision.to_version} is champion.")


@click.command()
@click.option("--to", "to_version", metavar="VERSION", help="A version that was champion; default: the one before.")
@click.option("--reason", required=True, help="Why; kept for ever.")
@name_option
@tracking_uri_option
def rollback(to_version: str | None, reason: str, name: str, tracking_uri: str | None) -> None:
    """Return to the champion before this one. Its pack is verified first, and the decision is recorded."""
    from training.promotion.rollback import rollback as run
    from training.registry import Refused, StoreError

    try:
        decision = run(name, reason=reason, to_version=to_version, tracking_uri=tracking_uri)
    except (StoreError, Refused) as error:
        raise Fault(str(error)) from error
    click.echo(f"{decision.sentence}\n{decision.model} version {decision.to_version} is champion.")
