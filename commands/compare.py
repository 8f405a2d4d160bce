"""``tregcast compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from commands.options import (
    FILE,
    FOLDER,
    Fault,
    mapping_option,
    name_option,
    require_folder,
    tell,
    tracking_uri_option,
    writing,
)

if TYPE_CHECKING:
    from training.promotion.comparison import Comparison

MOST_REFITTED = 5000  # examples; beyond, a refit takes minutes


@click.command()
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@name_option
@click.option("--champion", help="What is compared with; default: the alias champion of --name.")
@click.option("--challenger", help="What may take its place; default: the alias challenger of --name.")
@click.option(
    "--index-visits",
    type=click.Choice(["every", "first"]),
    default="every",
    show_default=True,
    help="Compare on every visit that has an outcome, or on each patient's first such visit.",
)
@click.option("--out", type=FOLDER, help="Folder for comparison.json and comparison.png.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option(
    "--sites/--no-sites",
    default=None,
    help="Refit the challenger's recipe without each of the 10 largest sites; "
    f"default: up to {MOST_REFITTED} examples.",
)
@click.option(
    "--temporal/--no-temporal",
    default=None,
    help=f"Refit it on earlier patients and test on later ones; default: up to {MOST_REFITTED} examples.",
)
@tracking_uri_option
def compare(
    cohort_file: Path,
    mapping: Path | None,
    name: str,
    champion: str | None,
    challenger: str | None,
    index_visits: Literal["every", "first"],
    out: Path | None,
    as_json: bool,
    sites: bool | None,
    temporal: bool | None,
    tracking_uri: str | None,
) -> None:
    """Compare two registered versions on the patients of COHORT, each by forecasts it made without knowing them."""
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.promotion import comparison_report as report
    from training.registry import Refused, StoreError

    if out is not None:
        require_folder(out)
    try:
        found = _compared(
            cohort_file,
            mapping,
            champion or f"models:/{name}@champion",
            challenger or f"models:/{name}@challenger",
            index_visits,
            sites=sites,
            temporal=temporal,
            uri=tracking_uri,
        )
    except (CohortError, MappingError, StoreError, Refused) as error:
        raise Fault(str(error)) from error
    run = report.log(found)
    click.echo(report.as_json(found).decode().rstrip() if as_json else report.as_text(found))
    if out is not None:
        with writing(out):
            report.write(found, out)
        tell(f"written: {out / report.DOCUMENT}, {out / report.PLOT}")
    tell(f"logged as run {run}")


def _compared(
    cohort_file: Path,
    mapping: Path | None,
    champion: str,
    challenger: str,
    index_visits: Literal["every", "first"],
    *,
    sites: bool | None,
    temporal: bool | None,
    uri: str | None,
) -> Comparison:
    from training.cohort import read_cohort
    from training.examples import examples_of
    from training.promotion.comparison import compare as run
    from training.promotion.contender import contender
    from training.promotion.elsewhere import by_site, by_time, first_visits
    from training.registry import version_of
    from training.tracking import open_store

    cohort = read_cohort(cohort_file, mapping, index_visits=index_visits, progress=tell)
    open_store(uri, make=False)
    before, after = (contender(version_of(reference), uri) for reference in (champion, challenger))
    found = run(cohort, before, after)
    examples, recipe = examples_of(cohort), after.recipe
    if _asked(sites, len(examples.y)):
        found = replace(found, sites=by_site(examples, recipe, tell))
    if _asked(temporal, len(examples.y)):
        found = replace(found, time=by_time(examples, recipe, first_visits(cohort_file, mapping), tell))
    return found


def _asked(said: bool | None, examples: int) -> bool:
    return examples <= MOST_REFITTED if said is None else said
