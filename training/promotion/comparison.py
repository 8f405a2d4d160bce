"""Champion and challenger on the same patients: figures of each, paired differences, the same by subgroup.

Intervals of differences come from a bootstrap of patients (`training.paired`): how sure it is that these two
versions differ. What another fit of the same recipe would give is not in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.crossfit import grouped_folds
from model.distribution import band_of
from model.predictor import COVERAGE
from training.baselines import BASELINES
from training.cohort import Cohort, CohortError
from training.examples import Examples, examples_of
from training.fit import FEWEST_PATIENTS, require_varied
from training.foretelling import foretelling
from training.metrics import Forecasts
from training.paired import RESAMPLES, Difference, difference, figures, patient_draws
from training.promotion.calibration_slope import calibration_slope
from training.promotion.contender import Contender
from training.promotion.elsewhere import Transport
from training.promotion.forecasts_by import HonestForecasts, honest_forecasts
from training.registry import CHALLENGER, CHAMPION
from training.subgroups import TOO_SMALL, predicted_bands, subgroups

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
FOLDS = 5  # as in training
NOT_DONE = Transport((), "Not done: not asked for, or the cohort is large (--sites, --temporal).")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: which it is, and how many examples it forecast in which way."""

    name: str
    version: str
    pack_id: str
    run_id: str
    ways: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of examples. Figures by model, and challenger minus champion; None where it is too small to show."""

    kind: str
    value: str
    patients: int
    examples: int
    figures: Mapping[str, Mapping[str, float]] | None
    differences: Mapping[str, Difference] | None
    relative_rmse: Difference | None  # challenger's RMSE / champion's - 1
    band_changes: float | None  # share of examples that the two put into different bands

    @property
    def name(self) -> str:
        """As it is told."""
        return f"{self.kind}: {self.value}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is known of the two on one cohort."""

    cohort: str
    cohort_digest: str
    simulated: bool
    unit: str
    champion: Side
    challenger: Side
    overall: Group
    subgroups: tuple[Group, ...]
    foretelling: Mapping[str, float]  # features of the challenger that know the outcome, with their correlation
    sites: Transport = NOT_DONE  # the challenger's recipe at sites it never saw
    time: Transport = NOT_DONE  # and in later years


def compare(
    cohort: Cohort,
    champion: Contender,
    challenger: Contender,
    *,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two versions, and the baselines, on the examples for which both have an honest forecast.

    Args:
        cohort: any cohort with the outcome's scale of both.
        champion: what is compared with. challenger: what may take its place.
        resamples: of the patients.

    Raises:
        CohortError: fewer than 40 patients have a forecast of both, or the scale is another.
    """
    found = {
        CHAMPION: honest_forecasts(champion.pack, champion.kept, cohort),
        CHALLENGER: honest_forecasts(challenger.pack, challenger.kept, cohort),
    }
    both = np.logical_and.reduce([each.known for each in found.values()])
    examples = examples_of(cohort)
    _require_enough(cohort, examples, found, both)
    forecasts = {
        **{name: each.forecasts for name, each in found.items()},
        **_baselines(examples, challenger.recipe.seed),
    }
    judged = _Judged(examples, forecasts, resamples, challenger.recipe.seed)
    bands = predicted_bands(forecasts[CHAMPION].rate)
    masks = subgroups(examples, cohort) | {f"predicted band: {band}": mask for band, mask in bands.items()}
    groups = []
    for name, mask in masks.items():
        rows = mask & both
        if rows.any() and not rows[both].all():  # what is the same for all is no subgroup
            kind, value = name.split(": ", 1)
            groups.append(judged.group(kind, value, rows, (CHAMPION, CHALLENGER)))
    return Comparison(
        cohort=cohort.name,
        cohort_digest=cohort.digest,
        simulated=cohort.simulated,
        unit=challenger.pack.predictor.unit,
        champion=_side(champion, found[CHAMPION]),
        challenger=_side(challenger, found[CHALLENGER]),
        overall=judged.group("all", "all", both, tuple(forecasts)),
        subgroups=tuple(groups),
        foretelling={
            column: correlation
            for column, correlation in foretelling(examples).items()
            if column in challenger.pack.predictor.matrix.columns
        },
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a group of rows is judged by."""

    examples: Examples
    forecasts: Mapping[str, Forecasts]
    resamples: int
    seed: int

    def group(self, kind: str, value: str, rows: Rows, models: tuple[str, ...]) -> Group:
        patient, observed = self.examples.patient[rows], self.examples.y[rows]
        patients = len(np.unique(patient))
        if patients < TOO_SMALL:
            return Group(kind, value, patients, int(rows.sum()), None, None, None, None)
        draws = patient_draws(patient, self.resamples, self.seed)
        parts = {name: _part(self.forecasts[name], rows) for name in models}
        drawn = {name: figures(observed, part, patient, draws) for name, part in parts.items()}
        before, after = drawn[CHAMPION], drawn[CHALLENGER]
        bands = band_of(parts[CHAMPION].rate) != band_of(parts[CHALLENGER].rate)
        return Group(
            kind=kind,
            value=value,
            patients=patients,
            examples=int(rows.sum()),
            figures={
                name: {key: float(values[0]) for key, values in drawn[name].items()}
                | _slope(observed, part, patient)
                for name, part in parts.items()
            },
            differences={key: difference(after[key] - before[key]) for key in before},
            relative_rmse=difference(after["rmse"] / before["rmse"] - 1.0),
            band_changes=float(bands.mean()),
        )


def _slope(observed: Floats, part: Forecasts, patient: NDArray[np.str_]) -> dict[str, float]:
    found = calibration_slope(observed, part.rate, patient)
    return {"calibration_slope": found.slope, "calibration_slope_error": found.standard_error}


def _part(forecasts: Forecasts, rows: Rows) -> Forecasts:
    return Forecasts(forecasts.rate[rows], forecasts.interval[rows], forecasts.coverage)


def _baselines(examples: Examples, seed: int) -> dict[str, Forecasts]:
    """Cross-validated on the folds that training makes of this cohort with this seed."""
    folds = grouped_folds(examples.groups, FOLDS, seed)
    made = {}
    for name, forecast in BASELINES.items():
        rate, interval = np.empty(len(folds)), np.empty((len(folds), 2))
        for fold in np.unique(folds):
            test = folds == fold
            found = forecast(examples, ~test, test, COVERAGE)
            rate[test], interval[test] = found.rate, found.interval
        made[name] = Forecasts(rate, interval, COVERAGE)
    return made


def _require_enough(cohort: Cohort, examples: Examples, found: Mapping[str, HonestForecasts], both: Rows) -> None:
    patients = len(np.unique(examples.patient[both]))
    if patients >= FEWEST_PATIENTS:
        require_varied(cohort)
        return
    ways = "; ".join(
        f"{name}: " + ", ".join(f"{count} {way}" for way, count in each.counts.items())
        for name, each in found.items()
    )
    raise CohortError(
        f"{cohort.name}: {patients} patients have an honest forecast of both versions, at least {FEWEST_PATIENTS} "
        f"are needed. Of {len(both)} index visits, {ways}. Left out is a patient whom a version was trained on, "
        "at a visit it did not forecast out of fold; give a cohort that holds the visits both were trained on, "
        "or patients that neither has seen"
    )


def _side(contender: Contender, found: HonestForecasts) -> Side:
    version = contender.version
    return Side(version.name, version.version, contender.pack.id, contender.run.run_id, found.counts)
