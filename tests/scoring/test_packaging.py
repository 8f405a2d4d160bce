"""What the image for scheduled jobs installs is enough to score a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.conftest import Trained

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UV = Path(sys.executable).with_name("uv")


def test_the_batch_lock_is_a_part_of_the_whole_one() -> None:
    def pinned(path: Path) -> set[str]:
        return {line.split(" ;")[0].rstrip(" \\") for line in path.read_text("utf-8").splitlines() if "==" in line}

    batch = pinned(DEPLOY / "batch-requirements.lock")
    assert batch <= pinned(ROOT / "requirements.lock")
    assert not {line.split("==")[0] for line in batch} & {
        "mlflow",
        "pandas",
        "scikit-learn",
        "xgboost-cpu",
        "pyspark",
    }


def test_all_that_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "batch.Containerfile").read_text("utf-8"), re.MULTILINE)
    names = [
        name for line in copied for name in line.split()[:-1] if name != "pinned"
    ]  # that is made by tregcast pin
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.slow
def test_a_file_is_scored_by_what_the_image_installs(
    trained: Trained, reference_frame: pd.DataFrame, tmp_path: Path
) -> None:
    python = tmp_path / "env" / "bin" / "python"
    locked = ["--require-hashes", "-r", str(DEPLOY / "batch-requirements.lock")]
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"],
        [UV, "pip", "install", "--quiet", "--python", python, *locked],
    ):
        subprocess.run([str(word) for word in command], check=True)
    reference_frame.head(40).to_parquet(tmp_path / "visits.parquet", index=False)
    words = [
        "-W",
        "error",
        "-m",
        "cli",
        "score",
        "visits.parquet",
        "answers.parquet",
        "--pack",
        trained.pack_folder,
    ]
    known = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    done = subprocess.run(
        [str(word) for word in (python, *words)],
        cwd=tmp_path,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_metadata(tmp_path / "answers.parquet").num_rows == 40
