"""Service code path and evaluator side by side over many random patients.

Full size, on a pack of your own: ``python -m tests.proof.many_patients PACK --patients 1000000 --processes 2``
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from features.problem import Rejected
from model.answer import render
from model.pack import load_pack
from model.predictor import Predictor
from service.answering import answer_body
from tests.proof.comparison import Comparison
from tests.proof.evaluator import Evaluator
from tests.proof.random_patients import TODAY, RandomPatients

AT_ONCE = 1000  # patients whose trees are walked together
SHARE = 2_000  # patients that a process takes at a time


def compared(folder: Path, numbers: Sequence[int]) -> Comparison:
    """The answers of the product's own path, from bytes to the rendered answer, beside those of the evaluator."""
    predictor, evaluator, patients = _of(folder)
    found = Comparison()
    for start in range(0, len(numbers), AT_ONCE):
        these = numbers[start : start + AT_ONCE]
        records = [patients.record(number) for number in these]
        for number, record, own in zip(these, records, evaluator.answers(records), strict=True):
            found.add(number, answered(predictor, record), own)
    return found


@lru_cache(1)
def _of(folder: Path) -> tuple[Predictor, Evaluator, RandomPatients]:
    return load_pack(folder).predictor, Evaluator(folder), RandomPatients(folder)


def answered(predictor: Predictor, record: dict[str, Any]) -> dict[str, Any]:
    """From the bytes of a record to the rendered answer, as a request goes."""
    try:
        return render(answer_body(predictor, json.dumps(record).encode(), today=TODAY))
    except Rejected as error:
        return {"outcome": "rejected", "problems": [str(problem) for problem in error.problems]}


def _shares(patients: int) -> Iterator[range]:
    for start in range(0, patients, SHARE):
        yield range(start, min(start + SHARE, patients))


def _say(found: Comparison, seconds: float) -> None:
    told = sum(found.outcomes.values())
    print(f"{told:,} patients in {seconds:,.0f} s: {len(found.differences)} differences", flush=True)
    print(f"  outcomes {dict(found.outcomes)}")
    print(f"  codes {dict(found.codes)}")
    print(f"  {found.numbers:,} numbers compared, {found.same_bits:,} of them the same bits;", end=" ")
    print(f"rates the same bits {found.rates_same_bits:,} of {found.rates:,}")
    print(f"  largest difference {found.largest}")
    print(*found.differences[:20], sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    said = parser.parse_args()
    started, whole = time.monotonic(), Comparison()
    with ProcessPoolExecutor(said.processes) as pool:
        shares = list(_shares(said.patients))
        for at, found in enumerate(pool.map(compared, [said.pack] * len(shares), shares)):
            whole.join(found)
            if at % 10 == 9 or at == len(shares) - 1:
                _say(whole, time.monotonic() - started)


if __name__ == "__main__":
    main()
