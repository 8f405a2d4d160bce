"""How long a server takes from its start until it is ready, and what memory it then holds.

    python benchmarks/start.py PACK [--rounds 5]

PACK is a folder with a pack. ``tregcast serve`` is started in turns with one worker and with two. Ready is the line
that says so; first answer is that of ``/v1/predict`` to the first golden record, asked from then on. Memory is read
after 200 requests: RSS counts what processes share in each of them, PSS shares it out. With two workers the parent
answers nothing; it is listed first. Times are of this machine, and of what else runs on it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.pack import load_pack
from tests.servers import running

ROOT = Path(__file__).parents[1]
REQUESTS, WITHIN = 200, 60.0  # seconds
READY = "is ready on "


@dataclass(frozen=True)
class Begun:
    """Seconds from the start until ready and until the first answer; RSS and PSS of each process in MiB."""

    ready: float
    answered: float
    rss: tuple[float, ...]
    pss: tuple[float, ...]


def main(pack: Path, rounds: int) -> None:
    body = json.dumps(load_pack(pack).golden[0].record).encode()
    found: dict[int, list[Begun]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="tregcast-start-") as scratch:
        begin(pack, 1, body, Path(scratch))  # warms up
        for _ in range(rounds):
            for workers, several in found.items():
                several.append(begin(pack, workers, body, Path(scratch)))
    print(f"{rounds} starts each, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| workers | ready, s | first answer, s | RSS, MiB | PSS, MiB |\n|---|---|---|---|---|")
    for workers, several in found.items():
        times = (spread([getattr(each, name) for each in several]) for name in ("ready", "answered"))
        memory = (
            " + ".join(f"{median(sizes):.0f}" for sizes in zip(*(getattr(b, kind) for b in several), strict=True))
            for kind in ("rss", "pss")
        )
        print(f"| {workers} | {' | '.join((*times, *memory))} |")


def begin(pack: Path, workers: int, body: bytes, folder: Path) -> Begun:
    """Start a server, ask it, look at its processes and end it."""
    command = [sys.executable, "-m", "cli", "serve", "--pack", pack.resolve(), "--port", "0", "--admin-port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    with running(
        [*command, "--workers", workers], folder / "log", signal.SIGTERM, env=environment, cwd=folder
    ) as process:
        url = await_url(folder / "log")
        ready = time.perf_counter() - started
        answered = 0.0
        for _ in range(REQUESTS):
            with client(url) as asking:  # a connection each, so that every worker gets some
                asking.post("/v1/predict", content=body).raise_for_status()
            answered = answered or time.perf_counter() - started
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
        sizes = [memory(pid) for pid in (process.pid, *map(int, children))]
    return Begun(ready, answered, tuple(rss for rss, _ in sizes), tuple(pss for _, pss in sizes))


@contextmanager
def client(url: str) -> Iterator[httpx.Client]:
    headers = {"content-type": "application/json"}
    with httpx.Client(base_url=url, timeout=20, trust_env=False, headers=headers) as made:
        yield made


def await_url(log: Path) -> str:
    until = time.monotonic() + WITHIN
    while READY not in (text := log.read_text("utf-8")) or not text.endswith("\n"):
        if time.monotonic() > until:
            raise SystemExit(f"not ready within {WITHIN:g} s:\n{text}")
        time.sleep(0.005)
    return text.split(READY)[1].split()[0]


def memory(pid: int) -> tuple[float, float]:
    """RSS and PSS in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
    return sizes["Rss:"], sizes["Pss:"]


def spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    main(asked.pack, asked.rounds)
