"""Memory does not grow with the input: ten times as many rows, in order or not, in every form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.proof.scale import scaled
from tests.scoring.command import AS_OF, KNOWN, ROOT

VISITS = scaled(200_000)
MOST_MORE = 64 * 1024  # KiB
CHUNK_ROWS = min(16_384, VISITS // 4)
# The command in a process that says at its end how much memory it ever had, in KiB.
MEASURED = """
import resource, sys
from click.testing import CliRunner
from cli import main
result = CliRunner().invoke(main, sys.argv[1:])
print(result.exit_code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(source: Path, out: Path, pack: Path) -> int:
    """The most memory of a run, in KiB."""
    asked = ["score", source, out, "--pack", pack, *AS_OF, "--chunk-rows", CHUNK_ROWS, "--workers", 2]
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, asked)],
        env=KNOWN,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    code, memory = map(int, result.stdout.split())
    assert code == 0, result.stderr
    return memory


def write(frame: pd.DataFrame, rows: int, form: str, path: Path) -> Path:
    """So many visits: the cohort over and over, its patients under new names, perhaps shuffled."""
    times = -(-rows // len(frame))
    copies = [frame.assign(patient_id=[f"{copy}-{name}" for name in frame["patient_id"]]) for copy in range(times)]
    whole = pd.concat(copies, ignore_index=True).head(rows)
    if form == "scattered":
        whole = whole.sample(frac=1, random_state=1)
    file = path / f"{form}{rows}{'.csv' if form == 'csv' else '.parquet'}"
    if form == "csv":
        whole.to_csv(file, index=False)
    else:
        whole.to_parquet(file, index=False, row_group_size=max(1000, rows // 10))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "csv", "scattered"])
def test_ten_times_the_rows_take_no_more_memory(
    reference_frame: pd.DataFrame, pack_folder: Path, tmp_path: Path, form: str
) -> None:
    small, large = (write(reference_frame, rows, form, tmp_path) for rows in (VISITS, 10 * VISITS))
    first = peak(small, tmp_path / "small.parquet", pack_folder)
    assert peak(large, tmp_path / "large.parquet", pack_folder) - first < MOST_MORE
