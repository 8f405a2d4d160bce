"""Two sets of forecasts of the same patients: how much their figures differ, and how sure that is.

Intervals come from a bootstrap that draws patients, all visits of a patient together. Models are not refitted in
it, so the chance of a fit is not in the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.metrics import Forecasts

Floats = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of one set of forecasts minus that of another: the estimate and its 95 % bootstrap interval."""

    estimate: float
    lower: float
    upper: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.lower > 0 or self.upper < 0


def patient_draws(patient: ArrayLike, resamples: int, seed: int) -> Floats:
    """How often each patient is drawn in each resample, (resamples, patients), patients in sorted order."""
    patients = len(np.unique(patient))
    generator = np.random.default_rng(seed)
    return generator.multinomial(patients, np.full(patients, 1.0 / patients), size=resamples).astype(np.float64)


def figures(observed: Floats, forecasts: Forecasts, patient: ArrayLike, draws: Floats) -> dict[str, Floats]:
    """Each metric on the cohort (first) and on every resample of its patients, (1 + resamples,).

    Args:
        observed: (n,) rates.
        forecasts: of the same rows.
        patient: (n,) whose each row is.
        draws: (resamples, patients), of `patient_draws`.
    """
    _, whose = np.unique(patient, return_inverse=True)
    lower, upper = forecasts.interval[:, 0], forecasts.interval[:, 1]
    outside = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
    weights = np.vstack([np.ones(draws.shape[1]), draws])

    def mean(values: Floats) -> Floats:
        sums = weights @ np.bincount(whose, values)
        counts: Floats = weights @ np.bincount(whose).astype(np.float64)
        return np.asarray(sums / counts, dtype=np.float64)

    squared = mean((observed - forecasts.rate) ** 2)
    spread = mean(observed**2) - mean(observed) ** 2
    alpha = 1.0 - forecasts.coverage
    return {
        "rmse": np.sqrt(squared),
        "r2": 1.0 - squared / spread,
        "coverage": mean((outside == 0.0).astype(np.float64)),
        "interval_width": mean(upper - lower),
        "interval_score": mean(upper - lower + 2.0 / alpha * outside),
    }


def difference(values: Floats) -> Difference:
    """From the difference on the cohort itself (first) and on the resamples."""
    tail = (1.0 - LEVEL) / 2.0
    lower, upper = np.quantile(values[1:], [tail, 1.0 - tail])
    return Difference(float(values[0]), float(lower), float(upper))
