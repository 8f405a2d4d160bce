"""``tregcast lineage``."""

from __future__ import annotations

import click

from commands.options import DEFAULT_MODEL, Fault, tracking_uri_option


@click.command()
@click.argument("reference", default=DEFAULT_MODEL)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@tracking_uri_option
def lineage(reference: str, as_json: bool, tracking_uri: str | None) -> None:
    """Say where REFERENCE comes from: cohort, run, code, settings, gates, and the champions before it.

    Ends with exit code 1 if a record does not hold: a decision changed afterwards, an alias moved past the gates.
    """
    from training.promotion import lineage_report as report
    from training.promotion.lineage import lineage as run
    from training.registry import StoreError

    try:
        found = run(reference, tracking_uri)
    except StoreError as error:
        raise Fault(str(error)) from error
    click.echo(report.as_json(found).decode().rstrip() if as_json else report.as_text(found))
    if found.problems:
        raise click.exceptions.Exit(1)
