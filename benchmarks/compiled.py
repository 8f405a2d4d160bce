"""Compiled evaluation of a pack's tables, copula and applicability beside the plain one and XGBoost, on one core.

    python benchmarks/compiled.py PACK [ROWS]

PACK is the folder of a pack. Rows are drawn within the knots of the pack's applicability and copula, 40 % of the
cells missing: in 500 patterns, or each row in a pattern of its own. The ways are measured in turn, several times
over, and each begins without what was computed for patterns. Told are medians of rows per second of one thread's
processor time, which other work on the machine disturbs less than time on the wall, but does disturb: take the
ratios. Before, answers are compared with the plain ones, to the last bit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import xgboost
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.applicability import Applicability
from model.copula import Copula
from model.fitted import SITUATIONS, FittedModel, Situation
from model.pack import Pack, load_pack
from model.tables import TreeTables
from scoring.compiled.applicability import CompiledApplicability
from scoring.compiled.copula import CompiledCopula
from scoring.compiled.fitted import compiled
from scoring.compiled.tables import CompiledTables

ROWS, SLOW_ROWS, PATTERNS, MISSING, REPEATS = 20_000, 1_000, 500, 0.4, 5


@dataclass(frozen=True)
class Way:
    """One way to get answers: what makes it run afresh, on which rows."""

    name: str
    rows: np.ndarray
    fresh: Callable[[], Callable[[np.ndarray], object]]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    pack = load_pack(folder)
    load = os.getloadavg()[0]
    print(f"pack {pack.id[:12]}, {count} rows, {os.cpu_count()} cores, load before the start {load:.1f}")
    with threadpool_limits(1):
        for at, situation in enumerate(pack.predictor.fitted.situations):
            name = SITUATIONS[at] if len(pack.predictor.fitted.situations) > 1 else "everybody"
            few, own = (draw(pack, at, count, patterns) for patterns in (PATTERNS, count))
            print(f"\n{name}: {describe(situation)}")
            check(pack, few[:SLOW_ROWS], own[:SLOW_ROWS])
            tell(list(ways_of_trees(folder, at, pack, few)))
            tell(
                [*ways_of_copula(situation, few, "500 patterns"), *ways_of_copula(situation, own, "all different")]
            )
            tell([*ways_of_distance(pack, few, "500 patterns"), *ways_of_distance(pack, own, "all different")])
            tell([*ways_of_model(pack, few, "500 patterns"), *ways_of_model(pack, own, "all different")])


def draw(pack: Pack, at: int, count: int, patterns: int) -> np.ndarray:
    """Rows of one situation, in so many patterns of missing cells."""
    rng, fitted = np.random.default_rng(at), pack.predictor.fitted
    rows = rng.normal(size=(count, len(fitted.feature_names)))
    for place, knots in zip(
        pack.predictor.applicability.positions, pack.predictor.applicability.knots, strict=True
    ):
        rows[:, place] = rng.uniform(knots.lowest, knots.highest, count)
    for copula in sources(fitted.situations[at], Copula):
        for j, place in enumerate(copula.positions):
            rows[:, place] = rng.uniform(copula.inputs.values[j, 0], copula.inputs.last[j], count)
    kinds = rng.random((patterns, rows.shape[1])) < MISSING
    if fitted.history:
        kinds[:, fitted.history] |= at == 0
        kinds[:, fitted.history[0]] = at == 0
    rows[kinds[np.arange(count) % patterns]] = np.nan
    return rows


def sources(situation: Situation, kind: type) -> list:
    return [part.source for part in situation.location if isinstance(part.source, kind)]


def describe(situation: Situation) -> str:
    words = [
        f"{len(each.table)} groups of {each.table.shape[2]} conditions" for each in sources(situation, TreeTables)
    ]
    words += [f"a copula of {len(each.positions)} inputs" for each in sources(situation, Copula)]
    return ", ".join(words)


def check(pack: Pack, *samples: np.ndarray) -> None:
    plain, fast = pack.predictor.fitted, compiled(pack.predictor.fitted)
    unlike = CompiledApplicability(pack.predictor.applicability)
    for rows in samples:
        for (one, shares), (other, shares_too) in ((plain.explained(rows), fast.explained(rows)),):
            same = shares.tobytes() == shares_too.tobytes()
            for name in ("location", "scale"):
                same &= getattr(one, name).tobytes() == getattr(other, name).tobytes()
            same &= one.interval(0.9).tobytes() == other.interval(0.9).tobytes()
            same &= one.band_probabilities().tobytes() == other.band_probabilities().tobytes()
        same &= unlike.is_unlike(rows).tolist() == [pack.predictor.applicability.is_unlike(row) for row in rows]
        if not same:
            raise SystemExit("compiled and plain answers differ")
    print(f"{sum(map(len, samples))} rows: same answers to the last bit")


def ways_of_trees(folder: Path, at: int, pack: Pack, rows: np.ndarray) -> Iterator[Way]:
    situations = pack.predictor.fitted.situations
    name = f"{SITUATIONS[at]}_location" if len(situations) > 1 else "location"
    booster = xgboost.Booster({"nthread": 1})
    few, data = rows[:SLOW_ROWS], xgboost.DMatrix(rows[:SLOW_ROWS].astype(np.float32), nthread=1)
    for plain in sources(situations[at], TreeTables):
        booster.load_model(bytearray((folder / f"{name}.json").read_bytes()))
        booster.set_param({"nthread": 1})
        fast = CompiledTables(plain)
        yield Way("XGBoost, pred_contribs", few, lambda: lambda _: booster.predict(data, pred_contribs=True))
        yield Way("XGBoost, inplace_predict", rows, lambda: booster.inplace_predict)
        yield Way("plain tables, contributions", few, lambda plain=plain: plain.contributions)
        yield Way("compiled tables, contributions", rows, lambda fast=fast: fast.contributions)
        yield Way("compiled tables, estimate", rows, lambda fast=fast: fast.estimate)


def ways_of_copula(situation: Situation, rows: np.ndarray, kind: str) -> Iterator[Way]:
    for plain in sources(situation, Copula):
        arrays = plain.to_arrays()

        def afresh(arrays: dict = arrays) -> Copula:
            return Copula.from_arrays(arrays)  # remembers no pattern

        few = rows[:SLOW_ROWS]
        yield Way(f"plain copula, contributions, {kind}", few, lambda: afresh().contributions)
        yield Way(f"compiled copula, contributions, {kind}", rows, lambda: CompiledCopula(afresh()).contributions)
        yield Way(f"compiled copula, estimate, {kind}", rows, lambda: CompiledCopula(afresh()).estimate)


def ways_of_distance(pack: Pack, rows: np.ndarray, kind: str) -> Iterator[Way]:
    plain: Applicability = pack.predictor.applicability

    def one_by_one() -> Callable[[np.ndarray], object]:
        afresh = replace(plain)  # remembers no pattern
        return lambda rows: [afresh.is_unlike(row) for row in rows]

    yield Way(f"plain distance, {kind}", rows[:SLOW_ROWS], one_by_one)
    yield Way(f"compiled distance, {kind}", rows, lambda: CompiledApplicability(plain).is_unlike)


def ways_of_model(pack: Pack, rows: np.ndarray, kind: str) -> Iterator[Way]:
    fitted = pack.predictor.fitted

    def answers(model: FittedModel, rows: np.ndarray) -> None:
        found = model.distribution(rows)
        found.interval(0.9), found.band_probabilities()

    def afresh() -> FittedModel:
        return compiled(fitted)

    yield Way(f"whole model, rate, interval, bands, {kind}", rows, lambda: lambda rows: answers(afresh(), rows))
    yield Way(f"whole model, contributions too, {kind}", rows, lambda: afresh().explained)


def tell(ways: list[Way]) -> None:
    times: dict[str, list[float]] = {way.name: [] for way in ways}
    for turn in range(REPEATS + 1):
        for way in ways:
            run = way.fresh()
            start = process_time()
            run(way.rows)
            if turn:  # the first time compiles
                times[way.name].append(process_time() - start)
    for way in ways:
        print(f"  {way.name:55s} {len(way.rows) / median(times[way.name]):10,.0f} rows/s")


if __name__ == "__main__":
    main()
