"""A small real pack, and the real server on a free port of the loopback address."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from features.matrix import DesignMatrix
from model.applicability import fit_applicability
from model.contents import Contents
from model.crossfit import grouped_folds
from model.pack import Pack, load_pack, write_pack
from model.regressor import ProgressionRegressor
from tests.measured import QUALIFIED

ROOT = Path(__file__).parents[2]
STATEMENT = "Trained on simulated patients <b>only</b>: not for the care of anybody."
COLUMNS = (
    *(
        "sex_female",
        "onset_bulbar",
        "delta_fs",
        "treg_count_per_ul",
        "treg_suppression_pct",
        "crp_mg_l",
        "nfl_pg_ml",
    ),
    *("alsfrs_r_total", "age_years", "months_since_onset"),
)
# What importing BentoML 1.4.39 warns of, under pydantic 2.14 and pathspec 1.0; every other warning is an error.
WARNINGS = (
    *("-W", "error"),
    *("-W", "ignore:The `__get_pydantic_core_schema__`:DeprecationWarning"),
    *("-W", "ignore:GitWildMatchPattern:DeprecationWarning"),
)
SERVE = """
import sys
from pathlib import Path
from service.server import serve
pack, port, *pack_id = sys.argv[1:]
serve(Path(pack), "127.0.0.1", int(port), pack_id=pack_id[0] if pack_id else None)
"""


def synthetic_table(patients: int = 300, seed: int = 7) -> tuple[pd.DataFrame, np.ndarray]:
    """Patients in whom fewer Tregs and more NfL go with faster decline; a third of the markers is missing."""
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=patients)
    months = rng.uniform(6, 40, patients)
    rate = np.exp(-0.6 + 0.5 * severity)
    score = np.clip(np.round(48 - rate * months), 8, 47)
    table = pd.DataFrame(
        {
            "sex_female": rng.integers(0, 2, patients).astype(float),
            "onset_bulbar": rng.integers(0, 2, patients).astype(float),
            "delta_fs": (48 - score) / months,
            "treg_count_per_ul": np.exp(4.0 - 0.25 * severity + 0.3 * rng.normal(size=patients)),
            "treg_suppression_pct": np.clip(60 - 10 * severity + 12 * rng.normal(size=patients), 0, 100),
            "crp_mg_l": np.exp(0.7 + 0.3 * severity + 0.6 * rng.normal(size=patients)),
            "nfl_pg_ml": np.exp(4.2 + 0.5 * severity + 0.3 * rng.normal(size=patients)),
            "alsfrs_r_total": score,
            "age_years": rng.normal(61, 10, patients),
            "months_since_onset": months,
        }
    )[list(COLUMNS)]
    for column in ("treg_suppression_pct", "crp_mg_l", "nfl_pg_ml"):
        table.loc[rng.random(patients) < 0.33, column] = np.nan
    return table, rate + 0.15 * rng.normal(size=patients)


def small_contents(seed: int = 7) -> Contents:
    table, rate = synthetic_table(seed=seed)
    matrix = DesignMatrix(COLUMNS, qualified=QUALIFIED)
    monotone = dict(zip(COLUMNS, matrix.directions, strict=True))
    model = ProgressionRegressor(monotone=monotone, n_trees=60).fit(table, rate)
    rows = table.to_numpy(dtype=np.float64)
    folds = grouped_folds(np.arange(len(rows)), 5, 0)
    return Contents(
        name="als-progression",
        matrix=matrix,
        fitted=model.model_,
        boosters=model.booster_json_,
        applicability=fit_applicability(rows, range(len(COLUMNS)), folds),
        importance=((1.0 / len(COLUMNS),) * len(COLUMNS),),
        statement=STATEMENT,
        card={
            "cohort": {"name": "synthetic <table>", "simulated": True, "patients": len(rows)},
            "metrics": {"rmse": 0.21, "r2": 0.7},
            "limits": ["A table made for tests & nothing else."],
        },
        cohort_digest="0" * 64,
        versions={"tregcast": "0.1.0"},
    )


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "pack"
    write_pack(folder, small_contents())
    return folder


@pytest.fixture(scope="session")
def pack(pack_folder: Path) -> Pack:
    return load_pack(pack_folder)


@pytest.fixture(scope="session")
def other_pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack trained on other patients, which answers otherwise."""
    folder = tmp_path_factory.mktemp("packs") / "other"
    write_pack(folder, small_contents(seed=8))
    return folder


@pytest.fixture(scope="session")
def other_pack(other_pack_folder: Path) -> Pack:
    return load_pack(other_pack_folder)


@dataclass(frozen=True)
class Server:
    """A running server process, its address and that of its admin port; all that it wrote is in ``output``."""

    url: str
    admin: str
    process: subprocess.Popen[bytes]
    output: Path

    def written_until(self, request_id: str) -> str:
        """All that it wrote, once the line of this request is there: it comes after the answer."""
        until = time.monotonic() + 5
        while request_id not in (text := self.output.read_text("utf-8")) and time.monotonic() < until:
            time.sleep(0.01)
        return text


def environment(home: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TREGCAST_", "BENTOML_"))}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), **settings}


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a process that a test started, and all that it started (it leads its own group)."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait(5)


def start(command: list[str], output: Path, env: dict[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
        )


def await_line(process: subprocess.Popen[bytes], output: Path, start_of_line: str, seconds: float = 30) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for line in output.read_text("utf-8").splitlines(keepends=True):
            if line.startswith(start_of_line) and line.endswith("\n"):
                return line.strip()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"no line {start_of_line!r} in: {output.read_text('utf-8')}")


@pytest.fixture(scope="session")
def server(pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`service.server.serve`, as ``tregcast serve`` calls it, with every warning an error."""
    folder = tmp_path_factory.mktemp("server")
    output = folder / "output"
    command = [sys.executable, *WARNINGS, "-c", SERVE, str(pack_folder), "0"]
    process = start(command, output, environment(folder), ROOT)
    try:
        line = await_line(process, output, "Tregcast is ready on ")
        pages = await_line(process, output, "Tregcast's pages are on ")
        yield Server(line.split()[4], pages.split()[4], process, output)
    finally:
        stop(process)


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[httpx.Client]:
    """A client of the admin port."""
    with httpx.Client(base_url=server.admin, timeout=10, trust_env=False) as client:
        yield client


@dataclass(frozen=True)
class Launcher:
    """Starts server processes for a test, each in a group of its own, and ends them with it."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def serve(self, pack: Path, port: int = 0, *pack_id: str) -> tuple[subprocess.Popen[bytes], Path]:
        return self.run([sys.executable, *WARNINGS, "-c", SERVE, str(pack), str(port), *pack_id])

    def command(self, pack: Path, *options: str, **settings: str) -> tuple[subprocess.Popen[bytes], Path]:
        """``tregcast serve`` on free ports."""
        ports = ("--port", "0", "--admin-port", "0")
        arguments = ["serve", "--pack", str(pack), *ports, *options]
        return self.run([sys.executable, *WARNINGS, "-m", "cli", *arguments], **settings)

    def bentoml(self, *arguments: str, **settings: str) -> tuple[subprocess.Popen[bytes], Path]:
        return self.run([str(Path(sys.executable).with_name("bentoml")), *arguments], **settings)

    def run(self, command: list[str], **settings: str) -> tuple[subprocess.Popen[bytes], Path]:
        output = self.folder / f"output{len(self.started)}"
        process = start(command, output, environment(self.folder, **settings), ROOT)
        self.started.append(process)
        return process, output

    def await_line(self, process: subprocess.Popen[bytes], output: Path, start_of_line: str) -> str:
        return await_line(process, output, start_of_line)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    try:
        yield launcher
    finally:
        for process in launcher.started:
            stop(process)


@pytest.fixture
def record(pack: Pack) -> dict[str, Any]:
    """A record that the pack answers with a prediction."""
    golden = next(item for item in pack.golden if item.answer["outcome"] != "abstained")
    return copy.deepcopy(dict(golden.record))
