"""What else might predict better: variants of the learner, judged on rows that they have not seen.

    python benchmarks/experiments.py reference [--patients 300 1000] [--draws 3]   share of the attainable gain
    python benchmarks/experiments.py proact FILE     R2, 5 folds grouped by patient, at first visits
    python benchmarks/experiments.py casi FILE       R2, 5 folds

Every variant learns one location from the same rows: those of first visits, with rows of follow-ups lent as
`model.situations` lends them (all rows of the CASI table). On simulated patients it is asked about 5,000 fresh ones
at their enrolment, against their true rates; on real ones it is cross-validated. What the variants are stands in
docs/decisions/0007-two-situations.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import attainable
import numpy as np
import real_patients

from model.blend import LENT_TO_TREES, Columns, Sample, fit_location
from model.boosting import BoosterSettings, fit_booster
from model.copula import Copula
from model.copula_fit import fit_copula
from model.crossfit import grouped_folds, out_of_fold
from model.situations import samples_of
from model.tables import TreeTables
from training.examples import Examples

FRESH = 5000
SEEDS = 4  # of the bag
RESIDUAL_SHARES = (1.0, 0.5)
RATE_SD = 0.55  # points/month: of rates given what is known, about as on all three tables


@dataclass(frozen=True)
class Rows:
    """What a variant learns from, and the standard error of each outcome (n,), NaN where nobody knows it."""

    sample: Sample
    everything: Sample  # the same rows as one situation, with their history
    columns: Columns
    error: np.ndarray

    def part(self, rest: np.ndarray) -> Rows:
        def cut(sample: Sample) -> Sample:
            rows = {name: getattr(sample, name)[rest] for name in ("X", "y", "weight", "folds", "own")}
            return replace(sample, **rows)

        return replace(self, sample=cut(self.sample), everything=cut(self.everything), error=self.error[rest])


Estimator = Callable[[np.ndarray], np.ndarray]
Variant = Callable[[Rows], Estimator]


def trees(
    sample: Sample,
    columns: Columns,
    seed: int = 0,
    least_lent: float = LENT_TO_TREES,
    settings: BoosterSettings | None = None,
) -> Estimator:
    weight = sample.weights(least_lent)
    settings = settings or BoosterSettings()
    json = fit_booster(sample.X, sample.y, weight, settings, monotone=columns.directions, seed=seed)
    tables = TreeTables.from_booster_json(json)
    return lambda X: tables.estimate(X) * tables.unit


def copula(sample: Sample, columns: Columns, left_out: tuple[int, ...]) -> Copula:
    X = sample.X.copy()
    X[:, list(left_out)] = np.nan
    found = fit_copula(X, sample.y, sample.weights(), directions=columns.directions)
    if found is None:
        raise SystemExit("too few rows for a copula")
    return found


def of_copula(found: Copula) -> Estimator:
    return lambda X: found.estimate(X) * found.unit


def precise(rows: Rows) -> Sample:
    """Weights from the outcome's standard error: the variance of the rate over that of the outcome."""
    known = np.nan_to_num(rows.error, nan=0.0)
    return replace(rows.sample, weight=rows.sample.weight * RATE_SD**2 / (RATE_SD**2 + known**2))


def bag(rows: Rows) -> Estimator:
    each = [trees(rows.sample, rows.columns, seed) for seed in range(SEEDS)]
    return lambda X: np.mean([estimate(X) for estimate in each], axis=0)


def transformed(rows: Rows) -> Estimator:
    """Trees on asinh of the rate over its median; back by the mean over the out-of-fold residuals (Duan 1983)."""
    sample = rows.sample
    middle = np.median(sample.y)
    y = np.arcsinh(sample.y / middle)
    settings, directions = BoosterSettings(), rows.columns.directions
    weight = sample.weights(LENT_TO_TREES)
    unseen = out_of_fold(sample.X, y, weight, sample.folds, settings, monotone=directions)
    left = np.quantile((y - unseen)[sample.own], np.linspace(0.01, 0.99, 50))
    estimate = trees(replace(sample, y=y), rows.columns)
    return lambda X: middle * np.sinh(estimate(X)[:, None] + left).mean(axis=1)


def completed(rows: Rows) -> Estimator:
    """Trees on normal scores whose gaps the copula fills with their conditional means."""
    found = copula(rows.sample, rows.columns, rows.columns.details)

    def fill(X: np.ndarray) -> np.ndarray:
        values = X[:, found.positions]
        scores, gaps = found.inputs.scores_of(values), np.isnan(values)
        for row, gap in zip(scores, gaps, strict=True):
            there = np.flatnonzero(~gap)
            known = np.linalg.solve(found.covariance[np.ix_(there, there)], row[there])
            row[gap] = found.covariance[np.ix_(np.flatnonzero(gap), there)] @ known
        return scores

    sample = replace(rows.sample, X=fill(rows.sample.X))
    estimate = trees(sample, replace(rows.columns, directions=tuple(found.directions.tolist())))
    return lambda X: estimate(fill(X))


def on_residual(taken: float) -> Variant:
    """The copula, and a share of trees that were fitted on its out-of-fold residual."""

    def variant(rows: Rows) -> Estimator:
        sample, details = rows.sample, rows.columns.details
        unseen = np.empty(len(sample.y))
        for fold in np.unique(sample.folds):
            rest = sample.folds != fold
            part = copula(rows.part(rest).sample, rows.columns, details)
            unseen[~rest] = part.estimate(sample.X[~rest]) * part.unit
        base = of_copula(copula(sample, rows.columns, details))
        more = trees(replace(sample, y=sample.y - unseen), rows.columns)
        return lambda X: base(X) + taken * more(X)

    return variant


def borrowing(rows: Rows) -> Estimator:
    """The copula, its correlations with the outcome drawn half-way to what all of a direction have in common.

    Empirical Bayes: signed correlations as normal around a mean, those without a direction around 0, each with the
    sampling variance of a correlation of as many patients as have the marker.
    """
    found = copula(rows.sample, rows.columns, rows.columns.details)
    spread = np.sqrt(np.diag(found.covariance))
    r, directions = found.with_outcome / spread, found.directions
    there = ~np.isnan(rows.sample.X[:, found.positions])
    weight = rows.sample.weights()
    counts = rows.sample.own.sum() * (weight @ there) / weight.sum()
    variance = (1 - r**2) ** 2 / np.maximum(counts, 2)
    drawn = r.copy()
    for these in (directions != 0, directions == 0):
        if these.sum() > 2:
            sign = np.where(directions[these] < 0, -1.0, 1.0)
            drawn[these] = sign * posterior(sign * r[these], variance[these], centred=not directions[these].any())
    joint = found.covariance / np.outer(spread, spread) - np.outer(r, r)
    r = (r + drawn) / 2
    np.fill_diagonal(joint, 1 - r**2)
    joint += max(0.0, 1e-3 - np.linalg.eigvalsh(joint)[0]) * np.eye(len(r))
    covariance = (joint + np.outer(r, r)) * np.outer(spread, spread)
    return of_copula(replace(found, covariance=covariance, with_outcome=r * spread))


def posterior(values: np.ndarray, variance: np.ndarray, *, centred: bool) -> np.ndarray:
    best, likeliest = values, -np.inf
    for sd in np.linspace(0.005, 0.4, 80):
        weight = 1 / (variance + sd**2)
        mean = 0.0 if centred else max(float(weight @ values / weight.sum()), 0.0)
        likelihood = -0.5 * np.sum(-np.log(weight) + (values - mean) ** 2 * weight)
        if likelihood > likeliest:
            best, likeliest = (values / variance + mean / sd**2) / (1 / variance + 1 / sd**2), likelihood
    return best


def blend(rows: Rows) -> Estimator:
    found = fit_location(rows.sample, BoosterSettings(), rows.columns)
    return lambda X: np.sum([part.estimate(X) for part in found.parts], axis=0)


VARIANTS: dict[str, Variant] = {
    "trees": lambda rows: trees(rows.sample, rows.columns),
    "trees, lent as little as the copula": lambda rows: trees(rows.sample, rows.columns, least_lent=0.0),
    "trees that see 0.3 of the columns": lambda rows: trees(
        rows.sample, rows.columns, settings=BoosterSettings(colsample=0.3)
    ),
    "trees, weights by standard error": lambda rows: trees(precise(rows), rows.columns),
    f"trees, mean of {SEEDS} seeds": bag,
    "trees on asinh of the rate": transformed,
    "trees on inputs completed by the copula": completed,
    "copula without items": lambda rows: of_copula(copula(rows.sample, rows.columns, rows.columns.details)),
    "copula with items": lambda rows: of_copula(copula(rows.sample, rows.columns, ())),
    "copula, weights by standard error": lambda rows: of_copula(
        copula(precise(rows), rows.columns, rows.columns.details)
    ),
    "copula, one situation with history": lambda rows: of_copula(
        copula(rows.everything, rows.columns, rows.columns.details)
    ),
    "copula, markers borrow from each other": borrowing,
    **{f"copula + {taken:g} trees on its residual": on_residual(taken) for taken in RESIDUAL_SHARES},
    "the blend": blend,
}


def rows_of(X: np.ndarray, examples: Examples, columns: Columns) -> Rows:
    weight, own = np.ones(len(X)), np.ones(len(X), np.bool_)
    everything = Sample(X, examples.y, weight, grouped_folds(examples.groups, 5, 0), own)
    sample = samples_of(everything, examples.groups, columns)[0]
    return Rows(sample, everything, columns, examples.standard_error)


def cross_validated(rows: Rows) -> None:
    own, y = rows.sample.own, rows.sample.y
    for name, variant in VARIANTS.items():
        found = np.full(len(y), np.nan)
        for fold in np.unique(rows.sample.folds):
            rest = rows.sample.folds != fold
            test = ~rest & own
            found[test] = variant(inner(rows.part(rest)))(rows.sample.X[test])
        print(f"{name:42} {1 - np.mean((y - found)[own] ** 2) / y[own].var():.4f}", flush=True)


def inner(rows: Rows) -> Rows:
    """Four folds are left of five: numbered from 0 without a gap."""
    _, folds = np.unique(rows.sample.folds, return_inverse=True)
    return replace(rows, sample=replace(rows.sample, folds=folds), everything=replace(rows.everything, folds=folds))


def reference(sizes: list[int], draws: int) -> None:
    fresh = attainable.fresh_patients(FRESH, earlier_visit=False)
    for number in sizes:
        shares: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for seed in range(draws):
            examples = attainable.simulated(number, seed)
            matrix = examples.matrix
            rows = rows_of(examples.X, examples, Columns(matrix.directions, matrix.history, matrix.details))
            X = matrix.rows(fresh.records)
            for name, variant in VARIANTS.items():
                shares[name].append(attainable.share(fresh.true, examples.y.mean(), variant(rows)(X), fresh.oracle))
        print(f"\n{number} patients, share of the attainable gain at {FRESH} fresh patients: median, draws")
        for name, found in shares.items():
            print(f"{name:42} {np.median(found):.3f}   {' '.join(f'{each:.3f}' for each in found)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["reference", "proact", "casi"])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--patients", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--draws", type=int, default=3)
    asked = parser.parse_args()
    if asked.data == "reference":
        reference(asked.patients, asked.draws)
        return
    if asked.file is None:
        sys.exit(f"{asked.data}: which file?")
    patients = getattr(real_patients, asked.data)(asked.file, 0)
    matrix, width = patients.examples.matrix, patients.X.shape[1]
    known = width == len(matrix.columns)  # the CASI table has columns of its own
    columns = Columns(matrix.directions, matrix.history, matrix.details) if known else Columns((0,) * width, (), ())
    cross_validated(rows_of(patients.X, patients.examples, columns))


if __name__ == "__main__":
    main()
