"""How good forecasts were that a pack made earlier, now that it is known what came: figures, groups, baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.derive import Scale
from features.matrix import DesignMatrix
from model.crossfit import grouped_folds
from training.baselines import BASELINES
from training.examples import Examples
from training.metrics import Forecasts, by_band, metrics
from training.report.accuracy import Calibration, Estimate, accuracy, calibration

Floats = NDArray[np.float64]
RESAMPLES = 1000  # of patients, of whom there may be ten thousand
FEWEST_VISITS, FEWEST_PATIENTS = 50, 20  # with fewer nothing is judged
FOLDS, SEED = 5, 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of `training.metrics.metrics` by name.

    Attributes:
        visits, patients: how many were judged.
        overall: each figure with its 95 % interval from a bootstrap of patients.
        calibration: observed against predicted, by tenth of the predicted rate.
        bands: by predicted band, for bands with at least 20 visits.
        baselines: of simpler forecasts of the same visits, each made from four fifths of these very patients for
            the other fifth; so they know this cohort, and the pack does not.
    """

    visits: int
    patients: int
    overall: Mapping[str, Estimate]
    calibration: Calibration
    bands: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, float]]


def judgement(
    observed: Floats, forecasts: Forecasts, patient: NDArray[np.str_], delta_fs: Floats, scale: Scale
) -> Judgement | None:
    """Judge forecasts; None with fewer than 50 visits or 20 patients.

    Args:
        observed: (n,) rates. forecasts: of the same visits. patient: (n,) whose each is.
        delta_fs: (n,) the rate so far; NaN where unknown. scale: of all rates.
    """
    patients = len(np.unique(patient))
    if len(observed) < FEWEST_VISITS or patients < FEWEST_PATIENTS:
        return None
    return Judgement(
        visits=len(observed),
        patients=patients,
        overall=accuracy(observed, forecasts, patient, resamples=RESAMPLES, seed=SEED),
        calibration=calibration(observed, forecasts, patient, resamples=RESAMPLES, seed=SEED),
        bands=by_band(observed, forecasts),
        baselines=_baselines(observed, patient, delta_fs, scale, forecasts.coverage),
    )


def _baselines(
    observed: Floats, patient: NDArray[np.str_], delta_fs: Floats, scale: Scale, coverage: float
) -> dict[str, dict[str, float]]:
    """Each cross-validated on these visits, as in a model's card."""
    unknown, nowhere = np.full(len(observed), np.nan), np.full(len(observed), "")
    matrix = DesignMatrix(("delta_fs",), scale)
    examples = Examples(matrix, delta_fs[:, None], observed, unknown, patient, nowhere)
    folds = grouped_folds(patient, FOLDS, SEED)
    found = {}
    for name, forecast in BASELINES.items():
        rate, interval = np.empty(len(observed)), np.empty((len(observed), 2))
        for fold in range(int(folds.max()) + 1):
            test = folds == fold
            made = forecast(examples, ~test, test, coverage)
            rate[test], interval[test] = made.rate, made.interval
        found[name] = metrics(observed, Forecasts(rate, interval, coverage))
    return found
