"""PRO-ACT out of fold: each fifth of its patients scored by a model trained on the other four, with its report.

    python benchmarks/proact_out_of_fold.py PROACT_CSV OUT_FOLDER [--seed 0]

Patients are split into five folds. For each, `tregcast train` learns from four (training/mappings/proact.toml, the
settings as they are) and `tregcast score --report` answers the fifth: OUT_FOLDER/fold-1.html and so on. Printed are
the figures of each fold, and of all five together with 95 % intervals from a bootstrap of patients. What came
is joined to the answers by patient and month, another way than the report's own, by row. A fold that was trained in
OUT_FOLDER before is not trained again. The data are had by registration with the PRO-ACT consortium and are not
part of this project; the folds' files are removed at the end, and answers, which name patients, with them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.answer import NUMBERS
from model.crossfit import grouped_folds
from model.predictor import COVERAGE
from training.cohort import read_cohort
from training.metrics import Forecasts, by_band, metrics
from training.paired import RESAMPLES
from training.report.accuracy import accuracy, calibration
from training.report.wording import estimated

ROOT = Path(__file__).parents[1]
MAPPING = ROOT / "training" / "mappings" / "proact.toml"
FOLDS = 5
PACK = "models:/als-progression@challenger"
FIGURES = ("rmse", "mae", "r2", "correlation", "coverage", "interval_width")


@dataclass(frozen=True)
class Judged:
    """Rows that were answered and had an outcome: rate and interval (n, 3), observed (n,), patient (n,)."""

    answers: np.ndarray
    observed: np.ndarray
    patient: np.ndarray

    @property
    def forecasts(self) -> Forecasts:
        return Forecasts(self.answers[:, 0], self.answers[:, 1:], COVERAGE)


def judged_folds(proact: Path, out: Path, seed: int) -> Iterator[Judged]:
    visits = pd.read_csv(proact, dtype="str", keep_default_na=False)
    folds = grouped_folds(visits["patient_id"].to_numpy(str), FOLDS, seed)
    for fold in range(FOLDS):
        home = out / f"model-{fold + 1}"
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            train, test = Path(scratch) / f"without-fold-{fold + 1}.csv", Path(scratch) / f"fold-{fold + 1}.csv"
            visits[folds != fold].to_csv(train, index=False)
            visits[folds == fold].to_csv(test, index=False)
            train_once(home, train)
            answers = Path(scratch) / f"answers-{fold + 1}.parquet"
            report = out / f"fold-{fold + 1}.html"
            asked = ("--mapping", MAPPING, "--pack", PACK, "--explain", "none", "--max-rejects", "100%")
            tregcast(home, "score", test, answers, *asked, "--report", report, "--overwrite")
            yield judged(test, answers)


def train_once(home: Path, train: Path) -> None:
    """Train, unless that was done here before on the same bytes."""
    done, digest = home / "trained-on", hashlib.sha256(train.read_bytes()).hexdigest()
    if not done.exists() or done.read_text("utf-8") != digest:
        tregcast(home, "train", train, "--mapping", MAPPING)
        done.write_text(digest, "utf-8")


def judged(test: Path, answers: Path) -> Judged:
    """What came, joined to the answers by patient and month."""
    came = read_cohort(test, MAPPING).examples
    months = [round(example.record.index_visit.month, 6) for example in came]
    rates = [example.outcome.progression_rate for example in came]
    frame = pd.DataFrame({"patient": [e.patient_id for e in came], "month": months, "observed": rates})
    said = pd.read_parquet(answers).dropna(subset=[NUMBERS[0]])
    said["month"] = said["months_since_onset"].round(6)
    both = said.merge(frame, left_on=["patient_id", "month"], right_on=["patient", "month"], validate="one_to_one")
    return Judged(both[list(NUMBERS[:3])].to_numpy(), both["observed"].to_numpy(), both["patient_id"].to_numpy(str))


def tregcast(home: Path, *arguments: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    subprocess.run(command, cwd=home, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("proact", type=Path)
    asked.add_argument("out", type=Path)
    asked.add_argument("--seed", type=int, default=0)
    options = asked.parse_args()
    print("| | index visits | patients | " + " | ".join(FIGURES) + " |\n" + "|---" * (len(FIGURES) + 3) + "|")
    folds = []
    for number, fold in enumerate(judged_folds(options.proact, options.out.resolve(), options.seed), 1):
        folds.append(fold)
        found = metrics(fold.observed, fold.forecasts)
        told = " | ".join(f"{found[name]:.3f}" for name in FIGURES)
        print(f"| fold {number} | {len(fold.observed)} | {len(np.unique(fold.patient))} | {told} |", flush=True)
    every = Judged(
        *(np.concatenate([getattr(fold, part) for fold in folds]) for part in ("answers", "observed", "patient"))
    )
    _print_all(every)


def _print_all(every: Judged) -> None:
    of = {"resamples": RESAMPLES, "seed": 0}
    found = accuracy(every.observed, every.forecasts, every.patient, **of)
    told = " | ".join(estimated(found[name]) for name in FIGURES)
    print(f"| all | {len(every.observed)} | {len(np.unique(every.patient))} | {told} |")
    for band, of_band in by_band(every.observed, every.forecasts).items():
        told = " | ".join(f"{of_band[name]:.3f}" for name in FIGURES)
        print(f"| predicted {band} | {of_band['examples']:.0f} | | {told} |")
    line = calibration(every.observed, every.forecasts, every.patient, **of)
    print(f"\ncalibration: slope {estimated(line.slope)}, intercept {estimated(line.intercept)}, ", end="")
    print(f"bias {estimated(line.bias)}\n\n| tenth | predicted | observed |\n|---|---|---|")
    for number, tenth in enumerate(line.tenths, 1):
        print(f"| {number} | {tenth.predicted:.3f} | {estimated(tenth.observed)} |")


if __name__ == "__main__":
    main()
