"""Learning to answer in each situation: at a first visit, and of patients who were seen before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.blend import Columns, Sample, fit_location
from model.boosting import BoosterSettings
from model.crossfit import fit_scale
from model.fitted import Situation, has_history

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_GROUPS = 40  # that each situation must have; with fewer, one answers for both
LENT = 60.0  # how many groups of its own all rows of the other situation are worth to a situation
LEAST_LENT = 0.05  # the least weight of a row of the other situation


@dataclass(frozen=True, eq=False)
class Learnt:
    """A situation and XGBoost's JSON of the boosters behind it: ``location`` and ``scale``, where it has them."""

    situation: Situation
    boosters: Mapping[str, bytes]


def samples_of(sample: Sample, groups: NDArray[np.generic], columns: Columns) -> list[Sample]:
    """The sample itself, or one for first visits and one for patients seen before, with rows lent by each other.

    With g groups of its own, a situation gives the rows of the other one the weight 60 / (60 + g), or 0.05 if that
    is more (to trees never less than 0.3, see `model.blend`): they are about the same patients, but what is known
    there, and what it says, differ. In a first visit there is no history, so what is lent to it has none.

    Args:
        sample: all rows. groups: (n,) whose each row is. columns: which of them are a history.
    """
    seen_before = has_history(sample.X, columns.history)
    found = []
    for own in (~seen_before, seen_before):
        count = len(np.unique(groups[own]))
        if count < FEWEST_GROUPS:
            return [sample]
        lent = max(LENT / (LENT + count), LEAST_LENT)
        X = sample.X.copy()
        if not own[seen_before].any():
            X[:, list(columns.history)] = np.nan
        found.append(Sample(X, sample.y, sample.weight, sample.folds, own, lent))
    return found


def learn_situation(
    sample: Sample, settings: BoosterSettings, columns: Columns, *, seed: int, n_jobs: int
) -> Learnt:
    """Location, scale and residuals of one situation; only its own rows judge, scale and calibrate."""
    location = fit_location(sample, settings, columns, seed=seed, n_jobs=n_jobs)
    own = sample.own
    X, y, weight = sample.X[own], sample.y[own], sample.weight[own]
    scale, scale_booster, scales = fit_scale(
        X, location.estimates, y, weight, sample.folds[own], seed=seed, n_jobs=n_jobs
    )
    residuals = np.sort((y - location.estimates) / scales)
    boosters = {"location": location.booster, "scale": scale_booster}
    found = {name: booster for name, booster in boosters.items() if booster is not None}
    return Learnt(Situation(location.parts, scale, residuals), found)
