"""How a recipe does where it was not trained: at a site it never saw, and in years after those it saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.table import DATE, PATIENT
from model.predictor import COVERAGE
from training.baselines import mean_rate
from training.cohort_table import read_cohort_table
from training.examples import Examples
from training.fit import FEWEST_PATIENTS
from training.metrics import Forecasts, metrics
from training.progress import Progress, silent
from training.recipe import Recipe

Part = NDArray[np.bool_]

FEWEST_SITES, MOST_SITES = 3, 10
FEWEST_TESTED = 20  # patients
LATER_SHARE = 0.3  # of the patients, those whose first visit is latest, are tested on


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Figures of the recipe refitted on the rest, on the part left out; points/month."""

    left_out: str
    patients: int
    examples: int
    figures: dict[str, float]
    mean_rmse: float  # of the mean rate of the rest


@dataclass(frozen=True, slots=True)
class Transport:
    """What was tried, or one sentence why it was not."""

    tried: tuple[Elsewhere, ...]
    why_not: str = ""


def by_site(examples: Examples, recipe: Recipe, progress: Progress = silent) -> Transport:
    """Refit without each of the largest sites (10 at most) that have at least 20 patients, and test on it."""
    sites = {
        str(site): len(np.unique(examples.patient[examples.site == site])) for site in np.unique(examples.site)
    }
    sites.pop("", None)
    if len(sites) < FEWEST_SITES:
        return Transport((), f"No site was left out: the cohort names {len(sites)}, at least 3 are needed.")
    largest = sorted(sites, key=lambda site: (-sites[site], site))[:MOST_SITES]
    parts = [(site, examples.site == site) for site in largest]
    return _tried(examples, recipe, [(f"site {site}", test) for site, test in parts], progress)


def by_time(
    examples: Examples, recipe: Recipe, first_visits: dict[str, date], progress: Progress = silent
) -> Transport:
    """Refit on patients whose first visit was earlier, and test on the latest 30 %.

    Args:
        examples: the cohort. recipe: what is refitted.
        first_visits: the date of each patient's first visit, of `first_visits`; empty where there are none.
        progress: told when the fit is done.
    """
    dated = {patient: first_visits[patient] for patient in np.unique(examples.patient) if patient in first_visits}
    if len(dated) < len(np.unique(examples.patient)):
        return Transport((), "No split by time: not every patient of the cohort has a visit_date.")
    days = np.array([dated[patient].toordinal() for patient in examples.patient])
    boundary = np.quantile([day.toordinal() for day in dated.values()], 1.0 - LATER_SHARE)
    test = days > boundary
    since = date.fromordinal(int(boundary)).strftime("%Y-%m")
    return _tried(examples, recipe, [(f"first seen after {since}", test)], progress)


def first_visits(path: Path, mapping_path: Path | None) -> dict[str, date]:
    """The date of each patient's first visit in a cohort file; patients with an unreadable date have none.

    Raises:
        CohortError, MappingError: the file or the mapping cannot be used.
    """
    table = pd.DataFrame(list(read_cohort_table(path, mapping_path).rows))
    if DATE not in table or PATIENT not in table:
        return {}
    days = pd.to_datetime(table[DATE], errors="coerce", format="ISO8601", utc=True)
    earliest = days.groupby(table[PATIENT].astype(str)).min().dropna()
    return {str(patient): day.date() for patient, day in earliest.items()}


def _tried(examples: Examples, recipe: Recipe, parts: list[tuple[str, Part]], progress: Progress) -> Transport:
    found = tuple(_each(examples, recipe, parts, progress))
    if found:
        return Transport(found)
    return Transport(
        (), f"Nothing was left out: no part has {FEWEST_TESTED} patients and leaves {FEWEST_PATIENTS} to fit on."
    )


def _each(
    examples: Examples, recipe: Recipe, parts: list[tuple[str, Part]], progress: Progress
) -> Iterator[Elsewhere]:
    for name, part in parts:
        tested = np.unique(examples.patient[part])
        rest = ~np.isin(examples.patient, tested)  # a patient seen at two sites is in neither fit
        if len(tested) < FEWEST_TESTED or len(np.unique(examples.patient[rest])) < FEWEST_PATIENTS:
            continue
        regressor = recipe.regressor(examples.matrix)
        regressor.fit(examples.X[rest], examples.y[rest], groups=examples.groups[rest])
        distribution = regressor.predict_distribution(examples.X[part])
        forecasts = Forecasts(distribution.location, distribution.interval(COVERAGE), COVERAGE)
        mean = metrics(examples.y[part], mean_rate(examples, rest, part, COVERAGE))["rmse"]
        progress(f"without {name}: refitted")
        yield Elsewhere(name, len(tested), int(part.sum()), metrics(examples.y[part], forecasts), mean)
