"""The examples, run as a user runs them: real files, a real store, a real service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(script: str, *arguments: str, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["HOME"] = str(folder)  # an empty home folder
    command = [sys.executable, str(ROOT / "examples" / script), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_the_demo_walks_from_nothing_to_an_explained_prediction(tmp_path: Path) -> None:
    said = run("demo.py", "--patients", "200", folder=tmp_path)  # a fifth of what `make demo` draws
    assert re.search(r"als-progression version 1 \(challenger, champion\)", said)
    assert re.search(r"Progression rate +-?\d+\.\d\d ALSFRS-R \(0-48\) points/month", said)
    assert re.search(r"90% interval +-?\d+\.\d\d to \d+\.\d\d", said)
    assert re.search(r"[+-]0\.\d\d [█░]+ +\S", said)
    assert "SIMULATED" in said
    assert "Where to look next" in said
    assert re.search(r"Done in \d+ s", said)
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()


@pytest.mark.slow
def test_real_patients_train_serve_and_are_answered(proact_file: Path, tmp_path: Path) -> None:
    said = run("proact.py", str(proact_file), folder=tmp_path)
    row = re.search(r"^tregcast +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)", said, re.MULTILINE)
    assert row is not None
    rmse, _, r2, correlation, coverage = map(float, row.groups())
    assert 0.15 <= r2 <= 0.25, (
        "what clinical data alone reach is about 0.2 (Kueffner 2015; calculated from PRO-ACT)"
    )
    assert 0.38 <= correlation <= 0.52
    assert 0.88 <= coverage <= 0.92
    for baseline in ("mean", "delta-FS alone"):
        found = re.search(rf"^{baseline} +(\S+)", said, re.MULTILINE)
        assert found is not None
        assert rmse < float(found[1])
    assert re.search(r"Progression rate +-?\d+\.\d\d ALSFRS \(0-40\) points/month", said)
    assert re.search(r"Observed over the following \d+ months: -?\d+\.\d\d points/month", said)
