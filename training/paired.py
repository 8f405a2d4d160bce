"""Two sets of forecasts of the same patients: how much their figures differ, and how sure that is.

Intervals come from a bootstrap that draws patients, all visits of a patient together. Models are not refitted in
it, so the chance of a fit is not in them: `widened` adds it, from how much the folds of a cross-validation differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

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


def widened(found: Difference, by_fold: ArrayLike) -> Difference:
    """The difference with the wider of its bootstrap interval and that of a corrected t-test over folds.

    Each fold has models of its own, so what folds differ by holds the chance of a fit; folds share training rows,
    for which the variance is corrected (Nadeau and Bengio 2003, 10.1023/A:1024068626366, n2/n1 = 1/(k - 1)).

    Args:
        found: the difference over all rows. by_fold: the same in each of k >= 2 folds, (k,).

    >>> widened(Difference(0.0, -0.1, 0.1), [-1.0, 1.0]).upper.__round__(2)
    22.01
    >>> widened(Difference(0.0, -0.1, 0.1), [0.0, 0.0, 0.0])
    Difference(estimate=0.0, lower=-0.1, upper=0.1)
    """
    folds = np.asarray(by_fold, np.float64)
    count = len(folds)
    spread = float(np.sqrt((1.0 / count + 1.0 / (count - 1)) * folds.var(ddof=1)))
    half = float(student_t.ppf(0.5 + LEVEL / 2.0, count - 1)) * spread
    return Difference(
        found.estimate, min(found.lower, found.estimate - half), max(found.upper, found.estimate + half)
    )


def patient_draws(patient: ArrayLike, resamples: int, seed: int) -> Floats:
    """How often each patient is drawn in each resample, (resamples, patients), patients in sorted order."""
    patients = len(np.unique(patient))
    generator = np.random.default_rng(seed)
    return generator.multinomial(patients, np.full(patients, 1.0 / patients), size=resamples).astype(np.float64)


def patient_means(patient: ArrayLike, draws: Floats) -> Callable[[Floats], Floats]:
    """A function from values (n,) to their mean on the cohort (first) and on every resample, (1 + resamples,).

    Args:
        patient: (n,) whose each row is.
        draws: (resamples, patients), of `patient_draws`.

    >>> mean = patient_means(["a", "a", "b"], np.array([[2.0, 0.0], [1.0, 1.0]]))
    >>> mean(np.array([1.0, 2.0, 6.0])).tolist()
    [3.0, 1.5, 3.0]
    """
    _, whose = np.unique(patient, return_inverse=True)
    weights = np.vstack([np.ones(draws.shape[1]), draws])
    counts = weights @ np.bincount(whose).astype(np.float64)

    def mean(values: Floats) -> Floats:
        return np.asarray(weights @ np.bincount(whose, values) / counts, dtype=np.float64)

    return mean


def figures(observed: Floats, forecasts: Forecasts, patient: ArrayLike, draws: Floats) -> dict[str, Floats]:
    """Each metric on the cohort (first) and on every resample of its patients, (1 + resamples,).

    Args:
        observed: (n,) rates.
        forecasts: of the same rows.
        patient: (n,) whose each row is.
        draws: (resamples, patients), of `patient_draws`.
    """
    lower, upper = forecasts.interval[:, 0], forecasts.interval[:, 1]
    outside = np.maximum(lower - observed, 0.0) + np.maximum(observed - upper, 0.0)
    mean = patient_means(patient, draws)
    squared = mean((observed - forecasts.rate) ** 2)
    spread = mean(observed**2) - mean(observed) ** 2
    alpha = 1.0 - forecasts.coverage
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample of one outcome has no R2
        r2 = 1.0 - squared / spread
    return {
        "rmse": np.sqrt(squared),
        "r2": r2,
        "coverage": mean((outside == 0.0).astype(np.float64)),
        "interval_width": mean(upper - lower),
        "interval_score": mean(upper - lower + 2.0 / alpha * outside),
    }


def difference(values: Floats) -> Difference:
    """From the difference on the cohort itself (first) and on the resamples."""
    tail = (1.0 - LEVEL) / 2.0
    lower, upper = np.quantile(values[1:], [tail, 1.0 - tail])
    return Difference(float(values[0]), float(lower), float(upper))
