"""What retraining costs: time, processor time and peak memory of each step, on simulated cohorts of several sizes.

    python benchmarks/retraining.py --patients 300 3000 30000 [--steps check train ...]

Each step is the command itself, in a process of its own: time by the wall clock, processor time of the process and
those it started (divided by the first it is how many cores were at work), and the most memory that all of them had
resident at once, looked at every second (of a process alone the most it ever had, as the kernel counts it).
Prints a table, and by what power of the patients each grows from size to size.
All but `check`, `tune` and the markers need a version, so `train` comes with them: a second one, with the settings
that `tune` found or else with another seed, is what `compare` compares with the first and `promote` puts in its
place, or refuses to. `worth` is `report --worth`, `report` the same without it. `tune` is per trial.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import psutil

ROOT = Path(__file__).parents[1]
STEPS = ("check", "train", "tune", "tregs", "markers", "compare", "promote", "report", "worth")
MEBIBYTE = 1024  # ru_maxrss is in KiB on Linux


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one step on one cohort."""

    patients: int
    step: str
    seconds: float
    cpu_seconds: float
    mebibytes: float


def main(sizes: list[int], steps: list[str], trials: int) -> None:
    costs: list[Cost] = []
    print("| patients | step | s | cores at work | MiB |\n|---|---|---|---|---|")
    for patients in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for cost in _costs(patients, steps, trials, Path(folder)):
                cores = cost.cpu_seconds / cost.seconds
                row = (f"{patients:,}", cost.step, f"{cost.seconds:.1f}", f"{cores:.2f}", f"{cost.mebibytes:.0f}")
                print(f"| {' | '.join(row)} |", flush=True)
                costs.append(cost)
    for line in _growth(costs, sizes):
        print(line)


def _costs(patients: int, steps: list[str], trials: int, folder: Path) -> Iterator[Cost]:
    def cost(step: str, *arguments: str, accepted: tuple[int, ...] = (0,), parts: int = 1) -> Cost:
        seconds, cpu_seconds, memory = _run(folder, arguments, accepted)
        return Cost(patients, step, seconds / parts, cpu_seconds / parts, memory)

    cost("simulate", "cohort", "simulate", "--patients", str(patients), "--out", "cohort.parquet")
    if "check" in steps:
        yield cost("check", "cohort", "check", "cohort.parquet", accepted=(0, 3))
    if {"train", "compare", "promote", "report", "worth"} & set(steps):
        yield cost("train", "train", "cohort.parquet")
    again = ["--seed", "1"]
    if "tune" in steps:
        yield cost("tune, per trial", "tune", "cohort.parquet", "--trials", str(trials), parts=trials)
        again = ["--settings", "settings.json"]
    if "tregs" in steps:
        alone = ("--only", "treg", "--workers", "1")
        yield cost(f"evaluate {' '.join(alone)}", "evaluate", "cohort.parquet", *alone)
    if "markers" in steps:
        yield cost("evaluate", "evaluate", "cohort.parquet")
    if {"compare", "promote"} & set(steps):
        cost("train again", "train", "cohort.parquet", *again)
    if "compare" in steps:
        yield cost("compare", "compare", "cohort.parquet")
    if "report" in steps:
        yield cost("report --no-worth", "report", "cohort.parquet", "--no-worth")
    if "worth" in steps:
        yield cost("report --worth", "report", "cohort.parquet", "--worth")
    if "promote" in steps:  # last: a report is of the challenger, which this may make champion
        yield cost("promote", "promote", "cohort.parquet", accepted=(0, 3))


def _run(folder: Path, arguments: tuple[str, ...], accepted: tuple[int, ...]) -> tuple[float, float, float]:
    """Seconds by the wall clock, seconds of all processors, and peak MiB of a command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = folder / "log"
    started = perf_counter()
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cli", *arguments]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        seen = _Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)  # of this process and its own children alone
        together = seen.most()
    seconds = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        said = log.read_text("utf-8", "replace")
        raise SystemExit(f"tregcast {' '.join(arguments)}: exit code {process.returncode}\n{said}")
    return seconds, usage.ru_utime + usage.ru_stime, max(usage.ru_maxrss / MEBIBYTE, together)


class _Memory:
    """The most MiB that a process and those it started had resident at once, looked at every second."""

    def __init__(self, pid: int) -> None:
        self._process, self._most, self._ended = psutil.Process(pid), 0, Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def most(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._most / 2**20

    def _look(self) -> None:
        while not self._ended.wait(1.0):
            with suppress(psutil.NoSuchProcess):
                alive = [self._process, *self._process.children(recursive=True)]
                self._most = max(self._most, sum(each.memory_info().rss for each in alive))


def _growth(costs: list[Cost], sizes: list[int]) -> Iterator[str]:
    """From each size to the next: the power of the number of patients that each grows as."""
    found = {(cost.step, cost.patients): cost for cost in costs}
    steps = list(dict.fromkeys(cost.step for cost in costs))
    if len(sizes) > 1:
        yield "\n| step | patients | time as n^ | processor time as n^ | memory as n^ |\n|---|---|---|---|---|"
    for step in steps:
        for smaller, larger in pairwise(sizes):
            before, after = found[step, smaller], found[step, larger]
            steps_up = math.log(larger / smaller)
            powers = (
                math.log(after.seconds / before.seconds) / steps_up,
                math.log(after.cpu_seconds / before.cpu_seconds) / steps_up,
                math.log(after.mebibytes / before.mebibytes) / steps_up,
            )
            said = " | ".join(f"{power:.2f}" for power in powers)
            yield f"| {step} | {smaller:,} to {larger:,} | {said} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[300, 3000, 30000])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--trials", type=int, default=10)
    asked = parser.parse_args()
    main(sorted(set(asked.patients)), asked.steps, asked.trials)
