"""Contribution tables against XGBoost's own `pred_contribs`: time and difference, both measured in one run.

    python benchmarks/tables.py

300 trees of depth 4 on 40 features with 30 % of the cells missing; one thread. Times on a shared machine wander:
take the ratios, which compare medians of alternating measurements.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import xgboost

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.tables import TreeTables

FEATURES, ROWS, TREES, DEPTH = 40, 2000, 300, 4


def main() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    y = 0.3 * np.nansum(rows[:, :10], axis=1) + rng.normal(size=ROWS)
    settings = {"max_depth": DEPTH, "learning_rate": 0.04, "subsample": 0.7, "min_child_weight": 5, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, y), TREES)
    start = perf_counter()
    tables = TreeTables.from_booster_json(bytes(booster.save_raw("json")))
    groups, patterns, depth = tables.table.shape
    print(f"{TREES} trees: {groups} groups of {depth} conditions, {patterns} patterns; grid 2**-{tables.grid}")
    print(f"built in {perf_counter() - start:.2f} s, {tables.table.nbytes / 1e6:.2f} MB in memory")
    compare_answers(tables, booster, rows)
    for count, repeats in ((1, 200), (ROWS, 5)):
        compare_times(tables, booster, rows[:count], repeats)


def compare_answers(tables: TreeTables, booster: xgboost.Booster, rows: np.ndarray) -> None:
    data = xgboost.DMatrix(rows, nthread=1)
    shares, estimates = tables.contributions(rows), tables.estimate(rows)
    theirs, estimates_theirs = booster.predict(data, pred_contribs=True), booster.predict(data)
    print(f"largest difference: contributions {np.abs(shares * tables.unit - theirs).max():.1e}", end=", ")
    print(f"estimate {np.abs(estimates * tables.unit - estimates_theirs).max():.1e}", end=", ")
    print(f"outcome's standard deviation {np.std(estimates * tables.unit):.2f}")
    gap = np.abs(theirs.sum(axis=1, dtype=float) - estimates_theirs).max()
    print(
        f"contributions add up to the estimate within: tables {np.abs(shares.sum(axis=1) - estimates).max()}",
        end=", ",
    )
    print(f"pred_contribs {gap:.1e}")


def compare_times(tables: TreeTables, booster: xgboost.Booster, rows: np.ndarray, repeats: int) -> None:
    data = xgboost.DMatrix(rows, nthread=1)
    ways: dict[str, Callable[[], object]] = {
        "pred_contribs": lambda: booster.predict(data, pred_contribs=True),
        "tables, contributions": lambda: tables.contributions(rows),
        "tables, estimate only": lambda: tables.estimate(rows),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = perf_counter()
            way()
            times[name].append(perf_counter() - start)
    slowest = median(times["pred_contribs"])
    for name, taken in times.items():
        each = median(taken)
        print(f"{len(rows):5d} rows, {name:22s} {1e3 * each:9.3f} ms {len(rows) / each:9.0f} rows/s", end=" ")
        print(f"{slowest / each:6.1f} times pred_contribs")


if __name__ == "__main__":
    main()
