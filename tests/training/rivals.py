"""A made-up cohort that is quick to learn, and versions of a model trained on it: one better, one worse."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.boosting import BoosterSettings
from training.promotion.refit import CohortFiles
from training.train import TrainingRun, train

NAME = "rivals"
PATIENTS = 120
QUICK = BoosterSettings(n_trees=30, learning_rate=0.1)
PROVENANCE = "simulated: made up for these tests"


def frame(seed: int = 7, *, first: int = 0) -> pd.DataFrame:
    """Five visits a patient; NfL and IL-6 drive the rate, sex says nothing."""
    rng = np.random.default_rng(seed)
    nfl, il6, other = rng.normal(size=(3, PATIENTS))
    rate = np.clip(0.8 + 0.3 * nfl + 0.25 * il6 + 0.1 * other, 0.0, 2.2)  # no marker knows it all
    onset = rng.uniform(8, 40, PATIENTS).round(1)
    start = rng.integers(36, 46, PATIENTS)
    rows = []
    for number in range(PATIENTS):
        for month in (0, 3, 6, 9, 12):
            score = start[number] - rate[number] * month + rng.normal(scale=0.4)
            rows.append(
                {
                    "patient_id": f"P{first + number:04}",
                    "months_since_onset": onset[number] + month,
                    "alsfrs_r_total": int(np.clip(round(score), 0, 48)),
                    "nfl_pg_ml": float(np.exp(4.2 + 0.6 * nfl[number]).round(2)),
                    "il6_pg_ml": float(np.exp(1.5 + 0.5 * il6[number]).round(2)),
                    "sex": "female" if number % 2 else "male",
                    "site": "small" if number < 12 else f"site-{number % 3}",
                    "provenance": PROVENANCE,
                }
            )
    return pd.DataFrame(rows)


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    """NfL of one patient given to another: nothing can be learnt from it, and what is learnt is wrong."""
    order = np.random.default_rng(1).permutation(PATIENTS)
    values = table.groupby("patient_id")["nfl_pg_ml"].first().to_numpy()[order]
    return table.assign(nfl_pg_ml=np.repeat(values, 5))


@dataclass(frozen=True)
class Rivals:
    """A store in which version 1 (neither marker) is champion; 2 knows both, 3 learnt from others' NfL."""

    folder: Path
    files: dict[str, CohortFiles]
    runs: dict[str, TrainingRun]

    @property
    def uri(self) -> str:
        return f"sqlite:///{(self.folder / 'mlflow.db').as_posix()}"

    def version(self, which: str) -> str:
        return self.runs[which].version.version

    def reference(self, which: str) -> str:
        return f"models:/{NAME}/{self.version(which)}"

    def copied(self, folder: Path) -> Rivals:
        """The same in a store of its own, in which a test may decide what it likes."""
        shutil.copytree(self.folder, folder)
        old, new = str(self.folder), str(folder)
        with sqlite3.connect(folder / "mlflow.db") as database:
            for table, column in PLACES:
                database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
        database.close()
        return Rivals(folder, self.files, self.runs)


PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where the database holds absolute places of artifacts."""


def make_rivals(folder: Path) -> Rivals:
    """Train the three."""
    folder.mkdir()
    table = frame()
    tables = {"without": table.drop(columns=["nfl_pg_ml", "il6_pg_ml"]), "better": table, "worse": shuffled(table)}
    files, runs = {}, {}
    store = folder / "store"
    for which, each in tables.items():
        path = folder / f"{which}.csv"
        each.to_csv(path, index=False)
        files[which] = CohortFiles(path)
        uri = f"sqlite:///{(store / 'mlflow.db').as_posix()}"
        runs[which] = train(path, name=NAME, index_visits="first", settings=QUICK, tracking_uri=uri)
    return Rivals(store, files, runs)
