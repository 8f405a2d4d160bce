"""How much of what is attainable a model reaches: fresh simulated patients whose best answer is known.

    python benchmarks/attainable.py [--patients 100 300 1000] [--draws 3] [--fresh 20000]

A model is trained on the observed slopes of a simulated cohort, as a user would, and asked about fresh patients at
their enrolment, with the visit before it where there was one. Its share of the attainable gain over the mean is
(MSE mean - MSE model) / (MSE mean - MSE oracle), each against the true rate of all fresh patients, those who later
left or died among them. "mean" is the mean of the observed slopes that the model was trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from features.table import patients
from training.cohort import read_cohort
from training.examples import examples_of
from training.fit import regressor_for
from training.oracle import attainable
from training.reference_cohort import draw, simulate

FRESH_SEED = 990_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--fresh", type=int, default=20_000)
    asked = parser.parse_args()
    fresh = draw(asked.fresh, FRESH_SEED)
    truth = fresh.truth["true_rate"].to_numpy()
    oracle = float(np.mean((truth - attainable(fresh.enrolled, fresh.before).rate) ** 2))
    known = fresh.visits[fresh.planned <= 0].drop(columns=["death_month"])
    records = [patient.record for patient in patients(known.to_dict("records"))]
    print(
        f"{len(records)} fresh patients, {sum(r is None for r in records)} rejected; MSE of the oracle {oracle:.4f}"
    )
    for number in asked.patients:
        shares = [share(number, seed, records, truth, oracle) for seed in range(asked.draws)]
        print(f"{number} patients: median share of the attainable gain {np.median(shares):.3f}", flush=True)


def share(number: int, seed: int, records: list, truth: np.ndarray, oracle: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cohort.parquet"
        simulate(number, seed).to_parquet(file)
        examples = examples_of(read_cohort(file))
    regressor = regressor_for(examples.matrix, 0).fit(examples.X, examples.y, groups=examples.groups)
    X = examples.matrix.rows(records)
    distribution = regressor.predict_distribution(X)
    lower, upper = distribution.interval(0.9).T
    mean = float(np.mean((truth - examples.y.mean()) ** 2))
    model = float(np.mean((truth - distribution.location) ** 2))
    found = (mean - model) / (mean - oracle)
    print(
        f"  {number} patients, draw {seed}: MSE mean {mean:.4f}, model {model:.4f}, share {found:.3f}; the 90 % "
        f"interval holds the true rate of {np.mean((truth >= lower) & (truth <= upper)):.3f}",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
