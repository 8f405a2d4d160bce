"""The job under a real spark-submit, with Tregcast brought along in a file, as on a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click import Command
from click.testing import CliRunner

from cli import main
from scoring.spark.job import score_job
from tests.conftest import Trained
from tests.scoring.spark.conftest import ENVIRONMENT
from tests.scoring.spark.test_run import DAY, SECRET, agreeing, local

VALUE = "8200.12345"  # five decimals: no time stamp of a log holds it

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms that a job needs, in one file."""
    path = tmp_path_factory.mktemp("rooms") / "tregcast.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for room in ("features", "model", "scoring"):
            for file in (ROOT / room).rglob("*"):
                if file.suffix in {".py", ".toml"}:
                    archive.write(file, file.relative_to(ROOT))
    return path


def submit(folder: Path, rooms: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it where the project is not: only the file and the installed packages are there."""
    command: list[Any] = [
        *(Path(sys.executable).with_name("spark-submit"), "--master", "local[2]", "--py-files", rooms),
        *("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.bindAddress=127.0.0.1"),
        *("--conf", f"spark.local.dir={folder / 'local'}", "--conf", "spark.sql.files.maxPartitionBytes=30000"),
        *(ROOT / "deploy" / "spark" / "score_job.py", *arguments),
    ]
    known = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "SPARK_HOME"}}
    known |= {"PYSPARK_PYTHON": sys.executable, **ENVIRONMENT}
    known |= {
        "NUMBA_CACHE_DIR": str(folder / "numba")
    }  # the file's place is new each time: nothing is left at home
    words = [str(word) for word in command]
    return subprocess.run(words, env=known, cwd=folder, capture_output=True, text=True, check=False)


def test_the_job(java: None, trained: Trained, reference_frame: pd.DataFrame, rooms: Path, tmp_path: Path) -> None:
    frame = reference_frame.sample(frac=1, random_state=5).iloc[:200].reset_index(drop=True)
    frame.loc[[3, 50], "crp_mg_l"] = float(VALUE)
    frame.loc[0, "patient_id"] = SECRET
    frame.to_parquet(tmp_path / "in.parquet", index=False, row_group_size=60)
    asked = ["in.parquet", "out", "--pack", trained.pack_folder, "--as-of", DAY]

    done = submit(tmp_path, rooms, *asked)
    assert done.returncode == 3, done.stderr  # rejects, of which none is allowed
    wanted = local(trained, pq.read_table(tmp_path / "in.parquet"))
    agreeing(tmp_path / "out", wanted)
    printed = json.loads(
        done.stdout[done.stdout.index("{\n") :]
    )  # spark-submit puts both outputs of Python into one
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert printed["rows"]["rejected"] == wanted.rejects.num_rows > 1
    assert SECRET not in done.stdout + done.stderr
    assert VALUE not in done.stdout + done.stderr


@pytest.mark.parametrize(("command", "more"), [(score_job, ()), (main, ("score", "--engine", "spark"))])
def test_a_result_that_is_there_is_told(
    java: None, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command, more: list[str]
) -> None:
    """The job, and the command: in one sentence, with the exit code of what can be mended."""
    for name, value in {"PYSPARK_PYTHON": sys.executable, **ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "out"
    out.mkdir()
    asked = [*more, tmp_path / "in.parquet", out, "--pack", trained.pack_folder, "--master", "local[1]"]
    done = CliRunner().invoke(command, [str(word) for word in asked], catch_exceptions=False)
    assert done.exit_code == 2
    assert f"Error: {out} is there already; name another, or say --overwrite" in done.stderr


def test_the_command(java: None, trained: Trained, reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    """``tregcast score --engine spark`` is the same job."""
    frame = reference_frame.iloc[:80].reset_index(drop=True)
    frame.loc[3, "crp_mg_l"] = 8200.0
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    wanted = local(trained, pq.read_table(tmp_path / "in.parquet"))
    rejected = wanted.rejects.num_rows
    asked = ["in.parquet", "out", "--pack", trained.pack_folder, "--as-of", DAY, "--max-rejects", rejected]

    done = engine(tmp_path, *asked, "--master", "local[2]")
    assert done.returncode == 0, done.stderr
    agreeing(tmp_path / "out", wanted)
    assert f"rejected                  {rejected:>12,}" in done.stdout
    assert "Written: out" in done.stdout


def test_a_spark_that_does_not_start(java: None, trained: Trained, tmp_path: Path) -> None:
    done = engine(tmp_path, "in.parquet", "out", "--pack", trained.pack_folder, "--master", "nowhere")
    assert done.returncode == 2
    assert "Spark does not start" in done.stderr or "Error: in.parquet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def engine(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "cli", "score", *arguments, "--engine", "spark"]
    known = {name: value for name, value in os.environ.items() if name not in {"PYSPARK_PYTHON", "SPARK_HOME"}}
    known |= {"PYTHONPATH": str(ROOT), **ENVIRONMENT}
    return subprocess.run(
        [str(word) for word in words], env=known, cwd=folder, capture_output=True, text=True, check=False
    )
