"""What counting costs: microseconds a request beside the prediction itself, and a scrape.

    python benchmarks/metrics.py PACK

One thread, the pack's first golden record; medians of 25 spells.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter

from features.parse import parse_record
from model.answer import Abstention, outcome
from model.pack import load_pack
from service.metrics.lacking import lacking
from service.metrics.metrics import Metrics

CALLS, SPELLS = 200, 25


def microseconds(call: Callable[[], object]) -> float:
    """The median over spells of what one call takes."""
    found = []
    for _ in range(SPELLS):
        started = perf_counter()
        for _ in range(CALLS):
            call()
        found.append((perf_counter() - started) / CALLS * 1e6)
    return statistics.median(found)


def main(folder: Path) -> None:
    pack = load_pack(folder)
    metrics, matrix = Metrics(), pack.predictor.matrix
    record = parse_record(dict(pack.golden[0].record), today=date.max)
    answer = pack.predictor.predict(record)
    said = answer.reasons if isinstance(answer, Abstention) else answer.cautions
    codes, missing = [each.code for each in said], lacking(matrix, record)
    print(
        f"{len(matrix.features)} features; {len(missing)} quantities missing, {len(codes)} codes, {outcome(answer)}"
    )
    for words, call in (
        ("a request", lambda: metrics.request("POST", "/v1/predict", "/v1/predict", 200, 0.0007)),
        ("an answer", lambda: metrics.answers.answered("predict", outcome(answer), codes, answer, missing)),
        ("what a record lacks", lambda: lacking(matrix, record)),
        ("predict itself", lambda: pack.predictor.predict(record)),
        ("durable records", lambda: metrics.recorded(0.001)),
    ):
        print(f"{words:<22}{microseconds(call):8.2f} us")
    started = perf_counter()
    text = metrics.text()
    print(f"{'a scrape':<22}{(perf_counter() - started) * 1e3:8.2f} ms, {len(text):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
