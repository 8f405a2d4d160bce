"""The examples of scheduled jobs: what they run is run here, as they have it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from tests.conftest import Trained

ROOT = Path(__file__).parents[2]
SCHEDULE = ROOT / "deploy" / "schedule"
DAY = "2026-03-05"
pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the command on the path, as an install has it, and no more."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "tregcast"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n', "utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{programs}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}


@pytest.fixture
def data(tmp_path: Path, reference_frame: pd.DataFrame) -> Path:
    """A folder of exports and one of scores; the export of one day."""
    (tmp_path / "data" / "exports").mkdir(parents=True)
    (tmp_path / "data" / "scores").mkdir()
    export(tmp_path / "data", DAY, reference_frame.iloc[:40])
    return tmp_path / "data"


def export(data: Path, day: str, frame: pd.DataFrame) -> None:
    frame.to_parquet(data / "exports" / f"visits-{day}.parquet", index=False)


def nightly(data: Path, trained: Trained, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    folders = {"TREGCAST_IN": str(data / "exports"), "TREGCAST_OUT": str(data / "scores")}
    known = {**environment, **folders, "TREGCAST_PACK": str(trained.pack_folder)}
    command = [SCHEDULE / "score-nightly.sh", DAY]
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False)


def test_the_nightly_script(data: Path, trained: Trained, environment: dict[str, str]) -> None:
    done = nightly(data, trained, environment)
    log = (data / "scores" / f"scores-{DAY}.log").read_text("utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log
    assert pq.read_table(data / "scores" / f"scores-{DAY}.parquet").num_rows == 40
    again = nightly(data, trained, environment)
    assert again.returncode == 2
    assert again.stderr.startswith(f"{DAY}: not scored, exit code 2; see ")


def test_the_nightly_script_tells_of_rejects(
    data: Path, trained: Trained, environment: dict[str, str], reference_frame: pd.DataFrame
) -> None:
    frame = reference_frame.iloc[:40].copy()
    frame["crp_mg_l"] = 8200.0
    export(data, DAY, frame)
    done = nightly(data, trained, environment)
    assert done.returncode == 3
    assert done.stderr == f"{DAY}: scored, but too many rows are rejected; see scores-{DAY}.rejects.csv\n"
    assert (data / "scores" / f"scores-{DAY}.rejects.csv").is_file()


def test_the_nightly_script_runs_once_at_a_time(data: Path, trained: Trained, environment: dict[str, str]) -> None:
    lock = data / "scores" / ".nightly.lock"
    held = subprocess.Popen(["flock", lock, "sh", "-c", "echo held; read line"], stdin=-1, stdout=-1, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    done = nightly(data, trained, environment)
    held.communicate("\n")
    assert (done.returncode, done.stderr) == (75, f"{DAY}: not scored, the run before is still at work\n")
    assert not (data / "scores" / f"scores-{DAY}.parquet").exists()


def test_the_cron_line_names_the_script_and_all_it_needs() -> None:
    lines = (SCHEDULE / "crontab").read_text("utf-8").splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    names = {line.split("=", 1)[0] for line in said[:-1]}
    script = (SCHEDULE / "score-nightly.sh").read_text("utf-8")
    needed = set(re.findall(r"\$\{(\w+):\?", script))
    assert needed == {"TREGCAST_IN", "TREGCAST_OUT", "TREGCAST_PACK"}
    assert names == needed | {"MAILTO", "PATH"}
    minute, hour, *days, user, command = said[-1].split()
    assert (int(minute) in range(60), int(hour) in range(24), days) == (True, True, ["*"] * 3)
    assert user == "tregcast"
    assert Path(command).name == "score-nightly.sh"
    assert os.access(SCHEDULE / "score-nightly.sh", os.X_OK)


def test_the_kubernetes_cronjob(data: Path, trained: Trained, environment: dict[str, str]) -> None:
    job = yaml.safe_load((SCHEDULE / "cronjob.yaml").read_text("utf-8"))
    spec = job["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert (job["apiVersion"], job["kind"], spec["concurrencyPolicy"]) == ("batch/v1", "CronJob", "Forbid")
    assert pod["restartPolicy"] == "Never"  # what a podFailurePolicy asks for
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}

    today = datetime.now(UTC).date().isoformat()
    shutil.copy(data / "exports" / f"visits-{DAY}.parquet", data / "exports" / f"visits-{today}.parquet")
    told = {item["name"]: item["value"] for item in container["env"]}
    told |= {"DATA": str(data), "PACK": str(trained.pack_folder)}
    command = [*container["command"], *container["args"]]
    done = subprocess.run(command, env={**environment, **told}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(data / "scores" / f"scores-{today}.parquet").num_rows == 40


def test_the_airflow_dag(data: Path, trained: Trained, environment: dict[str, str]) -> None:
    """Airflow itself is not installed for tests: the command that the DAG builds is run with its day filled in."""
    tree = ast.parse((SCHEDULE / "airflow_dag.py").read_text("utf-8"))
    said = [node for node in tree.body if isinstance(node, ast.Assign)]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(said, []), "airflow_dag.py", "exec"), names)
    words = [word.replace(names["DAY"], DAY) for word in names["ARGUMENTS"]]
    assert "{{" not in " ".join(words)
    words = [word.replace("/opt/pack", str(trained.pack_folder)).replace("/data", str(data), 1) for word in words]
    done = subprocess.run(["tregcast", *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(data / "scores" / f"scores-{DAY}.parquet").num_rows == 40
