"""What 1,000 records cost over HTTP: in one batch, in a stream, and one after the other, in one run.

    python benchmarks/http_batch.py PACK COHORT [--rounds 3]

PACK is a folder with a pack; COHORT a Parquet file (`tregcast cohort simulate --patients 600 --out c.parquet`),
of which 1,000 visits with their histories are the records, each with the markers that it has. The real server, one
worker, without and with a durable audit trail in SQLite. Medians of the rounds; the ratio is to a thousand times
one record on a kept connection, all different, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pandas as pd

from features.compose import compose
from features.table import patients
from features.today import latest_date

ROOT = Path(__file__).parents[1]
COUNT = 1000
EXPLAIN = ("all", "top5", "none")
Json = dict[str, object]


def records_of(cohort: Path) -> list[Json]:
    """A thousand visits of the cohort, each with the history that its patient had then."""
    rows = pd.read_parquet(cohort).to_dict("records")
    today = latest_date(datetime.now(UTC))
    found = [
        compose(patient.record.until(visit))
        for patient in patients(rows, {}, numbers=range(len(rows)), today=today)
        if patient.record is not None
        for visit in range(len(patient.rows))
    ]
    random.Random(1).shuffle(found)
    return found[:COUNT]


def main(pack: Path, cohort: Path, rounds: int) -> None:
    """Measure and print."""
    records = records_of(cohort)
    size = len(json.dumps({"records": records}))
    print(f"{len(records)} records, {size / 2**20:.1f} MiB\n")
    print("| audit | what | explain | s | of 1,000 single |\n|---|---|---|---|---|")
    for audited in (False, True):
        with _server(pack.resolve(), audited=audited) as url:
            found: dict[tuple[str, str], list[float]] = {}
            for _ in range(rounds):
                for explain in EXPLAIN:
                    for name, ask in (("single", _single), ("batch", _batch), ("stream", _stream)):
                        found.setdefault((name, explain), []).append(_timed(ask, url, records, explain))
        for (name, explain), seconds in found.items():
            ratio = median(seconds) / median(found["single", explain])
            print(f"| {'on' if audited else 'off'} | {name} | {explain} | {median(seconds):.2f} | {ratio:.2f} |")


def _timed(
    ask: Callable[[HTTPConnection, list[Json], str], None], url: str, records: list[Json], explain: str
) -> float:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
    started = time.perf_counter()
    ask(connection, records, explain)
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def _single(connection: HTTPConnection, records: list[Json], explain: str) -> None:
    for record in records:
        _post(connection, f"/v1/predict?explain={explain}", json.dumps(record).encode())


def _batch(connection: HTTPConnection, records: list[Json], explain: str) -> None:
    answer = _post(connection, f"/v1/predict/batch?explain={explain}", json.dumps({"records": records}).encode())
    assert len(json.loads(answer)["answers"]) == len(records)


def _stream(connection: HTTPConnection, records: list[Json], explain: str) -> None:
    body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    connection.putrequest("POST", f"/v1/predict/batch?explain={explain}")
    connection.putheader("content-type", "application/x-ndjson")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    sender = threading.Thread(target=connection.send, args=(body,))
    sender.start()
    *answers, last = connection.getresponse().read().splitlines()
    sender.join()
    assert len(answers) == len(records)
    assert json.loads(last)["complete"] is True


def _post(connection: HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", path, body, {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.status
    return response.read()


@contextmanager
def _server(pack: Path, *, audited: bool) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        known = {**os.environ, "PYTHONPATH": str(ROOT), "BENTOML_DO_NOT_TRACK": "True"}
        if audited:
            key = str(Path(folder) / "audit.key")
            subprocess.run(
                [sys.executable, "-m", "cli", "audit", "key", key], env=known, check=True, stdout=subprocess.DEVNULL
            )
            known |= {"TREGCAST_AUDIT": f"sqlite:///{folder}/audit.db", "TREGCAST_AUDIT_KEY": key}
        command = [sys.executable, "-m", "cli", "serve", "--pack", str(pack), "--port", "0", "--admin-port", "0"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, env=known, cwd=folder, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().split()[4]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            process.stdout.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    main(asked.pack, asked.cohort, asked.rounds)
