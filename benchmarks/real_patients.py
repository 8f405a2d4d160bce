"""Tregcast beside other learners on real trial patients: the same folds, differences paired by patient.

    python benchmarks/real_patients.py casi FILE      casi_train.csv.gz: one row a patient, 369 columns
    python benchmarks/real_patients.py proact FILE    proact_visits.csv.gz: one row a visit with an outcome

    --folds 10 --seed 0           outer folds, grouped by patient
    --learners tregcast xgboost   only these
    --searches 20                 random draws of XGBoost's settings in each outer fold
    --jobs 2                      threads of lasso, forest and search; the result does not depend on it
    --keep FILE.npz               keep the out-of-fold predictions, and show those that an earlier run kept there:
                                  one learner can be run again and is paired with the others as they were

Whatever is chosen (penalty, leaf size, XGBoost's settings and number of trees) is chosen inside the outer training
rows, by 5 folds grouped by patient. The last columns are RMSE minus Tregcast's with its 95 % interval (2,000
resamples of patients, all visits of a patient together; above 0: Tregcast is better) and the share of outcomes in
the 90 % interval, for learners that give one; below the learners stand Tregcast's figures by predicted band. The
data are had by registration with the PRO-ACT consortium and are not part of this project. A kept file holds
predictions, and of patients and outcomes only a digest.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.derive import SCALE_MAXIMUM
from features.matrix import DesignMatrix
from features.units import DAYS_PER_MONTH
from model.crossfit import grouped_folds
from model.predictor import COVERAGE
from model.regressor import ProgressionRegressor
from training.baselines import Baseline, delta_fs_alone, mean_rate
from training.cohort import read_cohort
from training.evaluation import MODEL
from training.examples import Examples, examples_of
from training.fit import regressor_for
from training.metrics import Forecasts, by_band, metrics
from training.paired import RESAMPLES, difference, figures, patient_draws

PROACT_MAPPING = Path(__file__).parents[1] / "training" / "mappings" / "proact.toml"
INNER_FOLDS = 5
FOREST_TREES, TRIAL_TREES = 500, 100  # of the forest, and of those that try a leaf size
LEAF_SIZES = (3, 5, 10, 20, 40)
MOST_ROUNDS, PATIENCE = 2000, 50


@dataclass(frozen=True)
class Patients:
    """Rows (n, p) with outcomes and patients; the examples that the baselines read; how Tregcast is made."""

    X: np.ndarray
    examples: Examples
    make: Callable[[], ProgressionRegressor]
    seed: int

    @property
    def y(self) -> np.ndarray:
        return self.examples.y

    @property
    def groups(self) -> np.ndarray:
        return self.examples.groups


@dataclass(frozen=True)
class Fold:
    """One outer fold: masks (n,) of the rows to learn from and of those to answer."""

    number: int
    train: np.ndarray
    test: np.ndarray


Learner = Callable[[Patients, Fold, argparse.Namespace], Forecasts]


def casi(path: Path, seed: int) -> Patients:
    """The challenge's table, all columns, no directions.

    It has no delta-FS; it is made of three of its columns: points lost by the last score of months 0-3, over the
    months from onset to that score.
    """
    frame = pd.read_csv(path)
    y = -frame.pop("dFRS").to_numpy(np.float64)
    months = (frame["last.alsfrs.score.date"] - frame["Onset.Delta"]) / DAYS_PER_MONTH
    delta_fs = (SCALE_MAXIMUM["alsfrs_total"] - frame["last.alsfrs.score"]) / months
    nowhere, unknown = np.full(len(y), ""), np.full(len(y), np.nan)
    patient = np.array([f"{row:05}" for row in range(len(y))])
    matrix = DesignMatrix(("delta_fs",), "alsfrs_total")
    examples = Examples(matrix, delta_fs.to_numpy(np.float64)[:, None], y, unknown, patient, nowhere)
    return Patients(frame.to_numpy(np.float64), examples, lambda: ProgressionRegressor(random_state=seed), seed)


def proact(path: Path, seed: int) -> Patients:
    examples = examples_of(read_cohort(path, PROACT_MAPPING))
    return Patients(examples.X, examples, lambda: regressor_for(examples.matrix, seed), seed)


def baseline(forecast: Baseline) -> Learner:
    return lambda patients, fold, _: forecast(patients.examples, fold.train, fold.test, COVERAGE)


def tregcast(patients: Patients, fold: Fold, _: argparse.Namespace) -> Forecasts:
    X, y, groups = patients.X[fold.train], patients.y[fold.train], patients.groups[fold.train]
    distribution = patients.make().fit(X, y, groups=groups).predict_distribution(patients.X[fold.test])
    return Forecasts(distribution.location, distribution.interval(COVERAGE), COVERAGE)


def lasso(patients: Patients, fold: Fold, options: argparse.Namespace) -> Forecasts:
    """Medians for gaps, a column that says so, all standardised; the penalty by cross-validation."""
    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LassoCV(cv=inner_folds(patients, fold), tol=1e-3, max_iter=20_000, n_jobs=options.jobs),
    )
    return _rate(model.fit(patients.X[fold.train], patients.y[fold.train]).predict(patients.X[fold.test]))


def forest(patients: Patients, fold: Fold, options: argparse.Namespace) -> Forecasts:
    """A third of the columns at each split; the leaf size by cross-validation.

    Not by the out-of-bag error: a tree that has not seen a row may have seen other visits of its patient, so small
    leaves look better than they are.
    """
    X, y = patients.X[fold.train], patients.y[fold.train]

    def model(n_trees: int, **settings: int) -> object:
        trees = RandomForestRegressor(
            n_trees, max_features=1 / 3, random_state=patients.seed, n_jobs=options.jobs, **settings
        )
        return make_pipeline(SimpleImputer(keep_empty_features=True), trees)

    trial = GridSearchCV(
        model(TRIAL_TREES),
        {"randomforestregressor__min_samples_leaf": LEAF_SIZES},
        scoring="neg_mean_squared_error",
        cv=inner_folds(patients, fold),
        refit=False,
    ).fit(X, y)
    (leaf,) = trial.best_params_.values()
    say(f"    leaves of {leaf} rows")
    return _rate(model(FOREST_TREES, min_samples_leaf=leaf).fit(X, y).predict(patients.X[fold.test]))


def tuned_xgboost(patients: Patients, fold: Fold, options: argparse.Namespace) -> Forecasts:
    """The best of random draws, each with its best number of trees; every outer fold has draws of its own."""
    X, y, splits = patients.X[fold.train], patients.y[fold.train], inner_folds(patients, fold)
    generator = np.random.default_rng([patients.seed, fold.number])
    draws = [xgboost_settings(generator) for _ in range(options.searches)]
    fixed = {"objective": "reg:squarederror", "tree_method": "hist", "nthread": 1, "seed": patients.seed}

    def trial(drawn: dict[str, float]) -> tuple[float, int]:
        data = xgboost.DMatrix(X, y, nthread=1)
        found = xgboost.cv(fixed | drawn, data, MOST_ROUNDS, folds=splits, early_stopping_rounds=PATIENCE)
        return float(found["test-rmse-mean"].iloc[-1]), len(found)

    with ThreadPoolExecutor(options.jobs) as pool:
        trials = list(pool.map(trial, draws))
    best = int(np.argmin([error for error, _ in trials]))
    rounds = trials[best][1]
    say(f"    {rounds} trees  " + "  ".join(f"{key} {value:.3g}" for key, value in draws[best].items()))
    booster = xgboost.train(fixed | draws[best], xgboost.DMatrix(X, y, nthread=1), rounds)
    return _rate(booster.predict(xgboost.DMatrix(patients.X[fold.test], nthread=1)).astype(np.float64))


def xgboost_settings(generator: np.random.Generator) -> dict[str, float]:
    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(generator.uniform(math.log(low), math.log(high))))

    return {
        "max_depth": int(generator.integers(2, 9)),
        "learning_rate": log_uniform(0.01, 0.2),
        "subsample": float(generator.uniform(0.5, 1.0)),
        "colsample_bytree": float(generator.uniform(0.2, 1.0)),
        "min_child_weight": log_uniform(1.0, 100.0),
        "reg_lambda": log_uniform(0.1, 100.0),
    }


def inner_folds(patients: Patients, fold: Fold) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions among the outer training rows: to learn from, to judge by."""
    inner = grouped_folds(patients.groups[fold.train], INNER_FOLDS, patients.seed)
    return [(np.flatnonzero(inner != k), np.flatnonzero(inner == k)) for k in range(int(inner.max()) + 1)]


def _rate(rate: np.ndarray) -> Forecasts:
    return Forecasts(rate, np.full((len(rate), 2), np.nan), COVERAGE)


READERS = {"casi": casi, "proact": proact}
LEARNERS: dict[str, Learner] = {
    MODEL: tregcast,
    "mean": baseline(mean_rate),
    "delta-FS": baseline(delta_fs_alone),
    "lasso": lasso,
    "forest": forest,
    "xgboost": tuned_xgboost,
}


def out_of_fold(name: str, patients: Patients, folds: np.ndarray, options: argparse.Namespace) -> Forecasts:
    """Forecasts for every row by a learner that has not seen its patient."""
    rate, interval = np.full(len(folds), np.nan), np.full((len(folds), 2), np.nan)
    for number in range(int(folds.max()) + 1):
        start = perf_counter()
        fold = Fold(number, folds != number, folds == number)
        found = LEARNERS[name](patients, fold, options)
        rate[fold.test], interval[fold.test] = found.rate, found.interval
        say(f"  {name}, fold {number + 1} of {int(folds.max()) + 1}: {perf_counter() - start:.1f} s")
    return Forecasts(rate, interval, COVERAGE)


class Kept:
    """Out-of-fold forecasts in a file, for the rows, outcomes and folds that they were made on and no others."""

    def __init__(self, path: Path | None, patients: Patients, folds: np.ndarray) -> None:
        self.path = path
        of = hashlib.sha256("\n".join(patients.examples.patient).encode())
        for values in (patients.y, folds):
            of.update(np.ascontiguousarray(values).tobytes())
        self.digest = of.hexdigest()
        self.forecasts: dict[str, Forecasts] = {}
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        with np.load(path) as file:
            if str(file["made_on"]) != self.digest:
                raise SystemExit(f"{path}: made on other patients, outcomes or folds; name another file")
            for name in LEARNERS:
                if f"{name}/rate" in file:
                    self.forecasts[name] = Forecasts(file[f"{name}/rate"], file[f"{name}/interval"], COVERAGE)

    def add(self, name: str, found: Forecasts) -> None:
        self.forecasts[name] = found
        if self.path is not None:
            arrays = {f"{n}/rate": f.rate for n, f in self.forecasts.items()}
            arrays |= {f"{n}/interval": f.interval for n, f in self.forecasts.items()}
            with self.path.open("wb") as file:  # by name, NumPy would add an ending
                np.savez_compressed(file, made_on=np.array(self.digest), **arrays)


COLUMNS = ("", "rows", "RMSE", "MSE", "R2", "r", "RMSE minus Tregcast's (95 % interval)", "coverage")


def table(patients: Patients, forecasts: dict[str, Forecasts]) -> list[str]:
    """The markdown table: the learners, then Tregcast by predicted band."""
    y, patient = patients.y, patients.examples.patient
    draws = patient_draws(patient, RESAMPLES, patients.seed)
    rmse = {name: figures(y, found, patient, draws)["rmse"] for name, found in forecasts.items()}
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for name in (name for name in LEARNERS if name in forecasts):
        apart = "-"
        if name != MODEL and MODEL in rmse:
            found = difference(rmse[name] - rmse[MODEL])
            apart = f"{found.estimate:+.4f} ({found.lower:+.4f} to {found.upper:+.4f})"
        lines.append(_row(name, len(y), metrics(y, forecasts[name]), apart))
    if MODEL in forecasts:
        for band, values in by_band(y, forecasts[MODEL]).items():
            lines.append(_row(f"predicted {band}", int(values["examples"]), values, "-"))
    return lines


def _row(name: str, rows: int, values: dict[str, float], apart: str) -> str:
    numbers = (values["rmse"], values["rmse"] ** 2, values["r2"], values["correlation"])
    coverage = values["coverage"] if not math.isnan(values["interval_width"]) else math.nan
    return _line([name, f"{rows:,}", *(_number(n, 4) for n in numbers), apart, _number(coverage, 3)])


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=list(READERS))
    parser.add_argument("file", type=Path)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learners", nargs="+", choices=list(LEARNERS), default=list(LEARNERS))
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    patients = READERS[options.data](options.file, options.seed)
    folds = grouped_folds(patients.groups, options.folds, options.seed)
    kept = Kept(options.keep, patients, folds)
    for name in options.learners:
        start = perf_counter()
        kept.add(name, out_of_fold(name, patients, folds, options))
        say(f"{name}: {perf_counter() - start:.0f} s")
    print(
        f"{options.file.name}: {len(np.unique(patients.groups)):,} patients, {patients.X.shape[0]:,} rows x "
        f"{patients.X.shape[1]}, {int(folds.max()) + 1} folds, seed {options.seed}\n"
    )
    print("\n".join(table(patients, kept.forecasts)))


if __name__ == "__main__":
    main()
