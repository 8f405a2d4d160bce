"""How far beyond the training range a value may be: wrong units that are stopped, and false alarms, by limit.

    python benchmarks/far_outside.py PACK [PROACT_CSV] [--patients 1000] [--seed 11] [--extremes]

Simulated patients that PACK was not trained on (another seed), as of their last visits. Wrong units: each amount
that the model takes, multiplied and divided by 100 and 1,000, one at a time; it counts as stopped where it leaves
the plausible range of its quantity, or is more times beyond the range of the pack than the limit. Other rules stop
some of the rest. False alarms: unspoilt patients of whom any amount is that far beyond.

With proact_visits.csv.gz: false alarms by index visit, ten times, ranges of one random half of the patients (and of
the first 300 of it) against the visits of the other half.

Cautions: the shares of visits of which any value, or any change per month, is outside its training range.
With --extremes the ranges go to the most extreme values of training, as they did before docs/decisions/0017.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from features.matrix import DesignMatrix
from features.table import patients
from model.applicability import Applicability, fit_applicability
from model.cautions import MOST_TIMES_BEYOND, is_amount
from model.crossfit import grouped_folds
from model.pack import load_pack
from training.cohort import read_cohort
from training.examples import Examples, examples_of
from training.reference.reference_cohort import simulate

LIMITS = (1.5, 2.0, 3.0, 5.0, 10.0)
FACTORS = {"x 100": 100.0, "x 1,000": 1000.0, "/ 100": 0.01, "/ 1,000": 0.001}
PROACT_MAPPING = Path(__file__).parents[1] / "training" / "mappings" / "proact.toml"
HALVES, FEW = 10, 300


def main(pack: Path, proact: Path | None, count: int, seed: int, *, extremes: bool) -> None:
    predictor = load_pack(pack).predictor
    matrix, cohort = predictor.matrix, predictor.applicability
    cohort = replace(cohort, ranges=()) if extremes else cohort
    X = simulated_rows(matrix, count, seed)
    times = spoilt_times(matrix, cohort, X)
    alarms = most_times(matrix, cohort, X)
    print(f"{len(matrix.columns)} features, {len(X)} simulated patients, {len(times['x 100'])} values each time\n")
    print(f"| beyond by | {' | '.join(FACTORS)} | of simulated patients |\n|---|{'---|' * (len(FACTORS) + 1)}")
    for limit in LIMITS:
        stopped = [np.mean([found > limit for _, found in times[name]]) for name in FACTORS]
        print(f"| {limit:g} | {' | '.join(map(percent, stopped))} | {percent(np.mean(alarms > limit))} |")
    for name in ("x 100", "/ 100"):
        print(f"\n{name}, least often stopped at {MOST_TIMES_BEYOND:g}: {', '.join(worst(times[name]))}")
    print(f"\noutside the training range: {cautioned(matrix, cohort, X)}")
    if proact is not None:
        false_alarms(examples_of(read_cohort(proact, PROACT_MAPPING)), seed, extremes=extremes)


def simulated_rows(matrix: DesignMatrix, count: int, seed: int) -> np.ndarray:
    rows = [{str(k): v for k, v in row.items()} for row in simulate(count, seed).to_dict("records")]
    return matrix.rows(each.record for each in patients(rows) if each.record is not None)


def amounts(matrix: DesignMatrix, cohort: Applicability) -> list[int]:
    return [at for at in cohort.positions if is_amount(matrix.features[at])]


def spoilt_times(matrix: DesignMatrix, cohort: Applicability, X: np.ndarray) -> dict[str, list[tuple[str, float]]]:
    """By factor: the quantity of each spoilt value, and how many times beyond it is; implausible is infinitely."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    row = np.full(X.shape[1], np.nan)
    for at in amounts(matrix, cohort):
        quantity = matrix.quantities[str(matrix.features[at].quantity)]
        low, high = quantity.plausible
        for value in X[~np.isnan(X[:, at]) & (X[:, at] != 0.0), at]:
            for name, factor in FACTORS.items():
                row[at] = value * factor
                far = cohort.times_beyond(row, at) if low <= row[at] <= high else np.inf
                found[name].append((quantity.name, far))
    return found


def most_times(matrix: DesignMatrix, cohort: Applicability, X: np.ndarray) -> np.ndarray:
    """Of each row, how many times its farthest amount is beyond the range, (n,)."""
    looked_at = amounts(matrix, cohort)
    return np.array([max([1.0, *(cohort.times_beyond(row, at) for at in looked_at)]) for row in X])


def worst(times: list[tuple[str, float]]) -> Iterator[str]:
    by: dict[str, list[bool]] = defaultdict(list)
    for quantity, found in times:
        by[quantity].append(found > MOST_TIMES_BEYOND)
    for quantity, stopped in sorted(by.items(), key=lambda item: np.mean(item[1]))[:4]:
        yield f"{quantity} {percent(np.mean(stopped))} of {len(stopped)}"


def cautioned(matrix: DesignMatrix, cohort: Applicability, X: np.ndarray) -> str:
    """The shares of rows with a value, and with a change, outside."""
    outside = [{matrix.features[at].kind == "change" for at in cohort.outside(row)} for row in X]
    shares = {"a value": False, "a change": True}
    told = [f"{name} in {np.mean([kind in each for each in outside]):.2%}" for name, kind in shares.items()]
    return ", ".join([*told, f"any in {np.mean([bool(each) for each in outside]):.2%}"])


def false_alarms(examples: Examples, seed: int, *, extremes: bool) -> None:
    generator, people = np.random.default_rng(seed), np.unique(examples.patient)
    found: dict[str, list[np.ndarray]] = {f"ranges of {FEW}": [], "ranges of the half": []}
    cautions = dict.fromkeys(found, "")
    for _ in range(HALVES):
        drawn = generator.permutation(people)
        half = drawn[: len(drawn) // 2]
        others = ~np.isin(examples.patient, half)
        for name, taught in zip(found, (half[:FEW], half), strict=True):
            cohort = replace(ranges(examples, taught), **({"ranges": ()} if extremes else {}))
            found[name].append(most_times(examples.matrix, cohort, examples.X[others]))
            cautions[name] = cautioned(examples.matrix, cohort, examples.X[others])
    print(f"\nPRO-ACT: {len(people):,} patients, {len(examples.y):,} index visits, {HALVES} random halves")
    print(f"\n| beyond by | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for limit in LIMITS:
        shares = [np.mean(np.concatenate(times) > limit) for times in found.values()]
        print(f"| {limit:g} | {' | '.join(f'{share:.3%}' for share in shares)} |")
    for name, told in cautions.items():
        print(f"\noutside the training range, {name}, last half: {told}")


def ranges(examples: Examples, taught: np.ndarray) -> Applicability:
    """What a pack that these patients were trained on knows of its cohort."""
    these = np.isin(examples.patient, taught)
    changes = [at for at, feature in enumerate(examples.matrix.features) if feature.kind == "change"]
    others = [at for at in range(examples.X.shape[1]) if at not in changes]
    return fit_applicability(examples.X[these], others, grouped_folds(examples.patient[these], 5, 0), changes)


def percent(share: float) -> str:
    return f"{share:.2%}" if 0.999 <= share < 1 else f"{share:.1%}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("proact", type=Path, nargs="?")
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--extremes", action="store_true")
    asked = parser.parse_args()
    main(asked.pack, asked.proact, asked.patients, asked.seed, extremes=asked.extremes)
