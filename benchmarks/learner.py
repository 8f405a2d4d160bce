"""Trees alone, the copula alone and their blend: cross-validated accuracy, coverage and time to fit.

    python benchmarks/learner.py reference              simulated patients; also against true rates of fresh ones
    python benchmarks/learner.py reference 100 300      only these numbers of patients
    python benchmarks/learner.py cohort FILE [MAPPING]  a cohort file of one's own
    python benchmarks/learner.py table FILE OUTCOME     any numeric CSV; the outcome's sign is turned

Five outer folds, grouped by patient. In each the whole fit is repeated: shrinkage, weights, calibration.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from model.copula_fit import SHRINKAGES, fit_copulas
from model.crossfit import cross_fitted, grouped_folds
from model.regressor import ProgressionRegressor
from training.cohort import read_cohort
from training.examples import examples_of
from training.fit import regressor_for
from training.metrics import Forecasts, metrics
from training.reference_cohort import simulate_with_truth

COVERAGE = 0.9
FRESH, DRAWS = 2000, {100: 4, 300: 2, 1000: 1}


class Learners:
    """The three fitted on the same rows: each a function from rows to forecasts."""

    def __init__(self, regressor: ProgressionRegressor, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        start = perf_counter()
        self.blend = regressor.fit(X, y, groups=groups)
        self.seconds = perf_counter() - start
        self.weights = {part.kind: part.weight for part in self.blend.model_.location}
        self.copula = copula_alone(regressor, X, y, groups)
        trees = [part for part in self.blend.model_.location if part.kind == "trees"]
        self.trees = trees[0].source if trees else None

    def forecasts(self, X: np.ndarray) -> dict[str, Forecasts]:
        nothing = np.full((len(X), 2), np.nan)
        distribution = self.blend.predict_distribution(X)
        found = {
            "copula": Forecasts(self.copula(X), nothing, COVERAGE),
            "blend": Forecasts(distribution.location, distribution.interval(COVERAGE), COVERAGE),
        }
        if self.trees is not None:
            found["trees"] = Forecasts(self.trees.estimate(X) * self.trees.unit, nothing, COVERAGE)
        return found


def copula_alone(
    regressor: ProgressionRegressor, X: np.ndarray, y: np.ndarray, groups: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """A copula whose shrinkage five folds chose, as in the blend."""
    directions = [0] * X.shape[1] if regressor.monotone is None else list(regressor.monotone)

    def estimate(rest: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        copulas = fit_copulas(X[rest], y[rest], np.ones(int(rest.sum())), directions=directions)
        return np.column_stack([copula.unit * copula.estimate(X[held_out]) for copula in copulas])

    estimates = cross_fitted(estimate, grouped_folds(groups, 5, 0))
    best = SHRINKAGES[int(np.argmin(((y[:, None] - estimates) ** 2).sum(axis=0)))]
    (copula,) = fit_copulas(X, y, np.ones(len(y)), directions=directions, shrinkages=(best,))
    return lambda rows: copula.unit * copula.estimate(rows)


def cross_validate(
    name: str, make: Callable[[], ProgressionRegressor], X: np.ndarray, y: np.ndarray, groups: np.ndarray
) -> None:
    folds = grouped_folds(groups, 5, 1)
    rate: dict[str, np.ndarray] = {}
    interval = np.empty((len(y), 2))
    seconds, weights = [], []
    for fold in range(int(folds.max()) + 1):
        test = folds == fold
        learners = Learners(make(), X[~test], y[~test], groups[~test])
        for learner, found in learners.forecasts(X[test]).items():
            rate.setdefault(learner, np.full(len(y), np.nan))[test] = found.rate
            if learner == "blend":
                interval[test] = found.interval
        seconds.append(learners.seconds)
        weights.append(learners.weights.get("copula", 0.0))
    print(
        f"{name}: {X.shape[0]} rows x {X.shape[1]}, {len(np.unique(groups))} patients, outcome's SD {y.std():.3f}"
    )
    for learner in ("trees", "copula", "blend"):
        report(
            f"  {learner}", y, Forecasts(rate.get(learner, np.full(len(y), np.nan)), interval, COVERAGE), learner
        )
    print(f"  copula's weight {np.mean(weights):.2f}, fit {np.median(seconds):.1f} s", flush=True)


def report(label: str, y: np.ndarray, found: Forecasts, learner: str) -> None:
    if np.isnan(found.rate).any():
        print(f"{label}: left out by the blend")
        return
    values = metrics(y, found)
    text = f"{label:10s} R2 {values['r2']:.4f}  RMSE {values['rmse']:.4f}  MSE {values['rmse'] ** 2:.4f}"
    if learner == "blend":
        text += f"  coverage {values['coverage']:.3f}  width {values['interval_width']:.3f}"
    print(text)


def reference(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fresh, truth = read_simulated(Path(folder), FRESH, seed=10_000)
        true_rate = truth.set_index("patient_id")["true_rate"]
        for size in sizes:
            for draw in range(DRAWS.get(size, 1)):
                train, _ = read_simulated(Path(folder), size, seed=draw)

                def make(matrix=train.matrix) -> ProgressionRegressor:
                    return regressor_for(matrix, 0)

                if draw == 0:
                    cross_validate(f"reference, {size} patients", make, train.X, train.y, train.patient)
                learners = Learners(make(), train.X, train.y, train.patient)
                columns = [fresh.feature(column) for column in train.matrix.columns]
                found = learners.forecasts(np.column_stack(columns))
                actual = true_rate.loc[fresh.patient].to_numpy()
                print(f"  draw {draw}, {len(actual)} visits of {FRESH} fresh patients, copula's weight "
                      f"{learners.weights.get('copula', 0.0):.2f}, fit {learners.seconds:.1f} s: R2 of observed "
                      "and true rates")  # fmt: skip
                for learner, forecasts in sorted(found.items(), reverse=True):
                    against = [metrics(y, forecasts) for y in (fresh.y, actual)]
                    coverage = f", coverage {against[0]['coverage']:.3f}" if learner == "blend" else ""
                    print(f"    {learner:7s} {against[0]['r2']:.4f}  {against[1]['r2']:.4f}{coverage}", flush=True)


def read_simulated(folder: Path, patients: int, seed: int):
    visits, truth = simulate_with_truth(patients, seed)
    file = folder / f"{patients}-{seed}.parquet"
    visits.to_parquet(file, index=False)
    return examples_of(read_cohort(file)), truth


def cohort(path: Path, mapping: Path | None) -> None:
    examples = examples_of(read_cohort(path, mapping))
    cross_validate(path.name, lambda: regressor_for(examples.matrix, 0), examples.X, examples.y, examples.patient)


def table(path: Path, outcome: str) -> None:
    frame = pd.read_csv(path)
    y = -frame.pop(outcome).to_numpy(np.float64)
    cross_validate(path.name, ProgressionRegressor, frame.to_numpy(np.float64), y, np.arange(len(y)))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "reference":
        reference([int(size) for size in rest] or list(DRAWS))
    elif kind == "cohort":
        cohort(Path(rest[0]), Path(rest[1]) if rest[1:] else None)
    else:
        table(Path(rest[0]), rest[1])
