"""How good forecasts are in each group of patients: by who they are, what was measured, and the band predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import MODEL, Evaluation
from training.examples import Examples
from training.metrics import Forecasts
from training.paired import patient_draws, patient_means
from training.report.accuracy import Estimate, accuracy, estimate
from training.subgroups import TOO_SMALL
from training.worth import MARKERS

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of one group."""

    rmse: Estimate  # points/month
    coverage: Estimate  # share
    interval_width: Estimate  # points/month
    bias: Estimate  # predicted - observed, points/month


@dataclass(frozen=True, slots=True)
class Group:
    """A group of patients; without figures where fewer than 20 patients are in it."""

    name: str
    patients: int
    examples: int
    figures: GroupFigures | None


def group_figures(
    masks: Mapping[str, Mask], examples: Examples, evaluation: Evaluation, *, resamples: int, seed: int
) -> tuple[Group, ...]:
    """The figures of each group of examples, with bootstrap intervals by patient.

    Args:
        masks: (n,) by name. examples, evaluation: of the same n rows.
        resamples: of each group's patients. seed: of the resamples.
    """
    found = []
    for name, mask in masks.items():
        patients = len(np.unique(examples.patient[mask]))
        figures = None if patients < TOO_SMALL else _figures(mask, examples, evaluation, resamples, seed)
        found.append(Group(name, patients, int(mask.sum()), figures))
    return tuple(found)


def measured_or_not(examples: Examples) -> dict[str, Mask]:
    """Index visits with and without each kind of marker, by name ("NfL: measured"), where there are both."""
    found: dict[str, Mask] = {}
    for marker, quantities in MARKERS.items():
        at = [position for position, each in enumerate(examples.matrix.features) if each.quantity in quantities]
        measured = np.asarray(~np.isnan(examples.X[:, at]).all(axis=1))
        if measured.any():
            both = {f"{marker}: measured": measured, f"{marker}: not measured": ~measured}
            found.update({name: mask for name, mask in both.items() if mask.any()})
    return found


def _figures(mask: Mask, examples: Examples, evaluation: Evaluation, resamples: int, seed: int) -> GroupFigures:
    forecasts, observed, patient = evaluation.forecasts[MODEL], evaluation.observed[mask], examples.patient[mask]
    part = Forecasts(forecasts.rate[mask], forecasts.interval[mask], forecasts.coverage)
    found = accuracy(observed, part, patient, resamples=resamples, seed=seed)
    off = patient_means(patient, patient_draws(patient, resamples, seed))(part.rate - observed)
    bias = estimate(float(off[0]), off[1:])
    return GroupFigures(found["rmse"], found["coverage"], found["interval_width"], bias)
