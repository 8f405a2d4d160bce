"""Searches for tests, with one small booster as regressor, so that a trial takes milliseconds.

Run as a module, it is a slow search that a test kills.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.matrix import DesignMatrix
from model.boosting import BoosterSettings, fit_booster
from model.tables import TreeTables
from training.settings import DEFAULTS
from training.tuning.trials import Search
from training.tuning.tune import MakeFor, Plan, ignore, tune
from training.tuning.tuning_summary import Tuning

if TYPE_CHECKING:
    from mlflow.entities import Run

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[3]
PATIENTS = 60
SLOWED = 0.05  # seconds that each fit of the search that is killed takes longer
PLAN = Plan(trials=14, index_visits="first")  # beyond the ten that are drawn at random


@dataclass
class SmallRegressor:
    """A tenth of the trees, and no more than trees."""

    settings: BoosterSettings
    spread: float = 0.0
    tables: TreeTables | None = field(default=None, repr=False)

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
        rows, rates = np.asarray(X, np.float64), np.asarray(y, np.float64)
        few = replace(self.settings, n_trees=max(self.settings.n_trees // 10, 1))
        self.tables = TreeTables.from_booster_json(fit_booster(rows, rates, np.ones(len(rates)), few))
        self.spread = float(np.std(rates - self.predict(rows)))
        return self

    def predict(self, X: ArrayLike) -> Floats:
        assert self.tables is not None
        return self.tables.estimate(np.asarray(X, np.float64)).astype(np.float64) * self.tables.unit

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        return self.predict(X)[:, None] + np.array([-1.64, 1.64]) * self.spread


def small(matrix: DesignMatrix, seed: int, settings: BoosterSettings) -> SmallRegressor:
    return SmallRegressor(settings)


class SlowRegressor(SmallRegressor):
    """The same, with time to be killed in."""

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
        time.sleep(SLOWED)
        return super().fit(X, y, groups)


@dataclass
class Offset:
    """Answers 0 and something that rises with the learning rate: what a search will find is known."""

    settings: BoosterSettings

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Offset:
        return self

    def predict(self, X: ArrayLike) -> Floats:
        away = self.settings.learning_rate if self.settings != DEFAULTS else 0.0
        return np.full(len(np.asarray(X)), -100.0 * away)

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        return np.column_stack([self.predict(X) - 1.0, self.predict(X) + 1.0])


def store(folder: Path) -> str:
    return f"sqlite:///{(folder / 'mlflow.db').as_posix()}"


def tuned(cohort: Path, folder: Path, plan: Plan = PLAN, make: MakeFor = small) -> Tuning:
    return tune(cohort, plan=plan, tracking_uri=store(folder), make=make)


def runs(folder: Path) -> list[Run]:
    import mlflow

    mlflow.set_tracking_uri(store(folder))
    return list(mlflow.search_runs(search_all_experiments=True, output_format="list"))


def trials_in(folder: Path, parent: str) -> dict[int, Run]:
    """The runs of trials below a run, by number; there are never two of one trial."""
    found = [run for run in runs(folder) if run.data.tags.get("mlflow.parentRunId") == parent]
    numbers = Counter(int(run.data.tags["tregcast.trial"]) for run in found)
    assert set(numbers.values()) <= {1}
    return {int(run.data.tags["tregcast.trial"]): run for run in found}


def ended(search: Search) -> list[tuple[int | None, BoosterSettings | None, str, tuple[float, ...]]]:
    """What was tried and came of it, turn by turn; trials that were killed left out."""
    return [(t.turn, t.settings, t.state, t.fold_errors) for t in search.trials if t.state != "killed"]


def states(database: Path) -> Counter[str]:
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10) as connection:
        found = [state for (state,) in connection.execute("SELECT state FROM trials")]
    connection.close()
    return Counter(found)


def wait_for(database: Path, ended: int) -> None:
    """Until so many trials have ended, and the next one has been judged on a fold."""
    running = "SELECT count(*) FROM trials JOIN trial_intermediate_values USING (trial_id) WHERE state = 'RUNNING'"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.01)
        try:
            found = states(database)
            with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10) as connection:
                reported = connection.execute(running).fetchone()[0]
            connection.close()
        except sqlite3.OperationalError:  # not there yet
            continue
        if found["COMPLETE"] + found["PRUNED"] == ended and reported:
            return
    raise AssertionError("the search did not come so far")


if __name__ == "__main__":
    tune(
        Path(sys.argv[1]),
        plan=PLAN,
        tracking_uri=store(Path(sys.argv[2])),
        make=lambda matrix, seed, settings: SlowRegressor(settings),
        watch=ignore,
    )
