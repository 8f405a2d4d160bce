"""One record, asked for again and again: over threads, in batches, in another order, after a restart."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.proof.random_patients import RandomPatients
from tests.proof.scale import scaled

RECORDS, THREADS, IN_A_BATCH = 20, 8, 100


@pytest.mark.slow
def test_no_byte_differs(launcher: Any, pack_folder: Path) -> None:
    repeats = scaled(10_000, least=400)
    patients = RandomPatients(pack_folder, seed=3)
    records = [patients.record(number) for number in range(RECORDS)]
    first = _answers(launcher, pack_folder, records, repeats // 2)
    again = _answers(launcher, pack_folder, records[::-1], repeats - repeats // 2)
    assert all(len(said) == 1 for said in first + again), "the same record had several answers"
    assert first == again[::-1]
    outcomes = {json.loads(next(iter(said)))["outcome"] for said in first}
    assert {"abstained", "prediction_with_cautions"} <= outcomes


def _answers(launcher: Any, pack: Path, records: list[dict[str, Any]], repeats: int) -> list[set[bytes]]:
    """All the different answers that a new server gives to each record, two thirds alone and a third in batches."""
    process, output = launcher.serve(pack)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    found: list[set[bytes]] = [set() for _ in records]
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        with ThreadPoolExecutor(THREADS) as pool:
            numbers = [at % len(records) for at in range(repeats * 2 // 3)]
            said = pool.map(lambda at: (at, client.post("/v1/predict", json=records[at])), numbers)
            for at, response in said:
                assert response.status_code == 200, response.text
                assert response.headers["x-request-id"].encode() not in response.content
                found[at].add(response.content)
        for start in range(0, repeats // 3, IN_A_BATCH):
            numbers = [(start // 7 + 3 * at) % len(records) for at in range(IN_A_BATCH)]
            response = client.post("/v1/predict/batch", json={"records": [records[at] for at in numbers]})
            whole = response.json()
            common = {key: whole[key] for key in ("pack", "statement")}
            for at, answer in zip(numbers, whole["answers"], strict=True):
                found[at].add(orjson.dumps({**answer, **common}))
    process.terminate()
    assert process.wait(30) is not None
    return found
