"""Under load for minutes: memory stays, and nothing fails. ``TREGCAST_TEST_SCALE=1`` for ten minutes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.proof.random_patients import RandomPatients
from tests.proof.scale import scaled
from tests.servers import resident_kib

CONNECTIONS = 4
WARM_SECONDS = 10  # caches of patterns fill first
MOST_KIB_A_MINUTE = 1024


@pytest.mark.slow
def test_memory_does_not_grow_and_nothing_fails(launcher: Any, pack_folder: Path) -> None:
    process, output = launcher.serve(pack_folder)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    patients = RandomPatients(pack_folder, seed=9)
    records = [patients.record(number) for number in range(300)]
    seconds = scaled(600, least=10)
    statuses: dict[int, int] = {}
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        end = time.monotonic() + WARM_SECONDS + seconds
        asking = [pool.submit(ask, url, records[at::CONNECTIONS], end, statuses) for at in range(CONNECTIONS)]
        time.sleep(WARM_SECONDS)
        taken = []
        while time.monotonic() < end - 0.5:
            taken.append((time.monotonic() / 60, resident_kib(process.pid)))
            time.sleep(0.5)
        for each in asking:
            each.result()
    minutes, kib = np.array(taken).T
    growth = float(np.polyfit(minutes, kib, 1)[0])
    counts = dict(sorted(statuses.items()))
    print(f"{seconds} s, {sum(counts.values()):,} requests {counts}: {growth:+.0f} KiB a minute, {kib[-1]:.0f} KiB")
    assert set(counts) <= {200, 404, 415, 422}
    assert counts[200] > 100
    assert kib[-1] - kib[0] < MOST_KIB_A_MINUTE * max(1.0, minutes[-1] - minutes[0])


def ask(url: str, records: list[Any], end: float, statuses: dict[int, int]) -> None:
    """Ask until then, mostly well; a request in ten is refused."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        number = 0
        while time.monotonic() < end:
            number += 1
            record = records[number % len(records)]
            match number % 30:
                case 0:
                    response = client.post("/v1/predict", json={"visits": number})
                case 10:
                    response = client.get(f"/nothing/{number}")
                case 20:
                    response = client.post("/v1/predict", content=b"x" * 3000)
                case 5:
                    response = client.post("/v1/predict/batch", json={"records": [record, {}, record]})
                case _:
                    response = client.post("/v1/predict", json=record)
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
