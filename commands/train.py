"""``tregcast train``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from commands.options import (
    FILE,
    Fault,
    index_visits_option,
    mapping_option,
    name_option,
    settings_option,
    strict_option,
    tell,
    tell_result,
    tracking_uri_option,
)


@click.command()
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@mapping_option
@name_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@index_visits_option
@settings_option
@strict_option
@tracking_uri_option
def train(
    cohort_file: Path,
    mapping: Path | None,
    name: str,
    seed: int,
    index_visits: Literal["every", "first"],
    settings: str | None,
    strict: bool,
    tracking_uri: str | None,
) -> None:
    """Train on COHORT, log the run in MLflow, and register the model.

    COHORT is a CSV or Parquet file, one row a visit. The model becomes the challenger; the champion too if there is
    none yet.
    """
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.registry import Refused
    from training.settings import DEFAULTS, SettingsError, settings_of
    from training.summary import summary
    from training.tracking import StoreError
    from training.train import train as run

    try:
        made = run(
            cohort_file,
            mapping,
            name=name,
            seed=seed,
            index_visits=index_visits,
            settings=settings_of(settings, tracking_uri) if settings else DEFAULTS,
            tracking_uri=tracking_uri,
            strict=strict,
            progress=tell,
        )
    except (CohortError, MappingError, Refused, SettingsError, StoreError) as error:
        raise Fault(str(error)) from error
    tell_result(summary(made), "the model is registered")
