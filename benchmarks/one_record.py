"""One record in process: parsed JSON to rendered answer, beside XGBoost's own contributions of one row.

    python benchmarks/one_record.py PACK [--repeats 2000] [--profile]

PACK is a folder with a pack. The records are those of its golden answers. Rounds alternate between what is compared
(so that a busy machine slows both); medians are printed, and ratios to one `pred_contribs` call on one row of the
trees of the pack's follow-up situation. With --profile: where the time of the whole goes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import numpy as np

from features.derive import derive, derive_from, readings_of
from features.parse import parse_record
from features.strict_json import loads
from features.today import latest_date
from model.answer import render
from model.cautions import Case, abstentions, cautions
from model.pack import Pack, load_pack
from model.predictor import COVERAGE, QUANTILES
from service.json_response import json_bytes

ROUND = 20  # calls between two looks at the clock
XGBOOST = "XGBoost pred_contribs, one row"
WHOLE = "parsed JSON to rendered answer"


def main(folder: Path, repeats: int, profile: bool) -> None:
    pack = load_pack(folder)
    bodies = [json.dumps(golden.record).encode() for golden in pack.golden]
    parts = {
        name: _each(part, len(bodies))
        for name, part in (*_whole(pack, bodies).items(), *_inner(pack, bodies).items())
    }
    parts[XGBOOST] = _each(_xgboost(folder, pack), len(bodies))
    taken = _taken(parts, repeats, len(bodies))
    floor = median(taken[XGBOOST])
    sent = sum(len(body) for body in bodies) / len(bodies)
    print(f"{len(bodies)} records of {sent:,.0f} bytes on average, {len(pack.predictor.matrix.columns)} features\n")
    print(f"{'':34}{'ms':>8}{'of XGBoost':>12}")
    for name, found in taken.items():
        print(f"{name:34}{median(found):8.4f}{median(found) / floor:12.2f}")
    if profile:
        _profile(parts[WHOLE])


Part = Callable[[int], object]  # what is done with the record at a position


def _whole(pack: Pack, bodies: list[bytes]) -> dict[str, Part]:
    """The steps from bytes to bytes, and all of them."""
    predictor, today = pack.predictor, latest_date(datetime.now(UTC))
    values = [json.loads(body) for body in bodies]
    records = [parse_record(value, today=today) for value in values]
    answers = [predictor.predict(record) for record in records]
    rendered = [render(answer) for answer in answers]
    return {
        "read JSON, strictly": lambda at: loads(bodies[at]),
        "parse the record": lambda at: parse_record(values[at], today=today),
        "predict": lambda at: predictor.predict(records[at]),
        "render": lambda at: render(answers[at]),
        "write JSON": lambda at: json_bytes(rendered[at]),
        WHOLE: lambda at: render(predictor.predict(parse_record(values[at], today=today))),
        "bytes to bytes": lambda at: json_bytes(
            render(predictor.predict(parse_record(loads(bodies[at]), today=today)))
        ),
    }


def _inner(pack: Pack, bodies: list[bytes]) -> dict[str, Part]:
    """The steps of ``predict``."""
    predictor, today = pack.predictor, latest_date(datetime.now(UTC))
    matrix, fitted = predictor.matrix, predictor.fitted
    records = [parse_record(json.loads(body), today=today) for body in bodies]
    readings = [readings_of(record) for record in records]
    derived = [derive_from(read, record, matrix.scale) for read, record in zip(readings, records, strict=True)]
    rows = [matrix.order(found)[None, :] for found in derived]
    distributions = [fitted.distribution(row) for row in rows]
    importance = [predictor.importance[int(found.which[0])] for found in distributions]

    def rules(at: int) -> object:
        found = (records[at], readings[at], derived[at], rows[at][0], matrix, importance[at])
        case = Case(*found, predictor.applicability, True)
        return abstentions(case), cautions(case)

    def spread(at: int) -> object:
        found = distributions[at]
        return found.interval(COVERAGE), found.quantiles(QUANTILES), found.band_probabilities()

    return {
        "  predict: derive features": lambda at: derive(records[at], matrix.scale),
        "  predict: estimate, contributions": lambda at: fitted.explained(rows[at]),
        "  predict: interval, bands": spread,
        "  predict: abstentions, cautions": rules,
    }


def _each(part: Part, count: int) -> Callable[[], None]:
    def run() -> None:
        for at in range(count):
            part(at)

    return run


def _taken(parts: dict[str, Callable[[], None]], repeats: int, records: int) -> dict[str, list[float]]:
    """Milliseconds of a record, of each part in each round."""
    gc.collect()
    gc.freeze()
    for part in parts.values():
        part()  # warms up
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(max(1, repeats // ROUND)):
        for name, part in parts.items():
            started = perf_counter_ns()
            for _ in range(ROUND):
                part()
            taken[name].append((perf_counter_ns() - started) / 1e6 / ROUND / records)
    return taken


def _xgboost(folder: Path, pack: Pack) -> Callable[[int], object]:
    """Contributions of one row by the booster that the tables were made of."""
    import xgboost

    names = ("follow_up_location.json", "first_visit_location.json", "location.json")
    file = next(folder / name for name in names if (folder / name).stat().st_size > 10)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(file.read_bytes()))
    row = np.full((1, len(pack.predictor.matrix.columns)), 1.0, np.float32)
    return lambda _: booster.predict(xgboost.DMatrix(row, nthread=1), pred_contribs=True)


def _profile(run: Callable[[], None]) -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(200):
        run()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    main(asked.pack, asked.repeats, asked.profile)
