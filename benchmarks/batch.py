"""Scoring a file beside what the machine must do at least: reading it, and the raw booster call on its matrix.

    python benchmarks/batch.py PACK [--rows 1000000] [--rounds 3] [--mlflow-model MODEL] [--spark] [--only limit]

PACK is a folder with a pack. Two files of 40 columns (`benchmarks/batch_rows.py`): one with 500 patterns of what is
missing, one with a pattern of its own in each row. Each target is a process of its own, all in turns; medians of
the rounds:

    limit    the Parquet file read in batches, each a float32 matrix, `Booster.predict` on it with two threads
    none     `tregcast score --explain none`: rate, interval and bands, to a Parquet file
    top5     `--explain top5`
    all      `--explain all`: every contribution
    pyfunc   `mlflow.pyfunc` on a pandas frame of the first rows, as many as `--pyfunc-rows`
    spark    `tregcast score --engine spark` on local[2], Spark's start included

Rows a second by the wall clock without the start of the process; processor seconds and peak MiB of all of it; and
the ratio to the limit. On a shared machine take the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PATTERNS = 500
EXPLAIN = ("none", "top5", "all")
TARGETS = ("limit", *EXPLAIN)

LIMIT = """
import sys, time, json
from pathlib import Path
import numpy as np, pyarrow.parquet as pq, xgboost
pack, path = Path(sys.argv[1]), sys.argv[2]
columns = json.loads((pack / "model.json").read_bytes())["columns"]
name = next(n for n in ("first_visit_location.json", "location.json") if (pack / n).stat().st_size > 10)
booster = xgboost.Booster({"nthread": 2})
booster.load_model(pack / name)
began, rows = time.perf_counter(), 0
for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(65536):
    matrix = np.full((len(batch), len(columns)), np.nan, np.float32)
    for column in batch.schema.names:
        if column in columns:
            matrix[:, columns.index(column)] = batch[column].to_numpy(zero_copy_only=False)
    booster.predict(xgboost.DMatrix(matrix, nthread=2))
    rows += len(batch)
print(json.dumps([rows, time.perf_counter() - began]))
"""

OURS = """
import sys, time, json
from pathlib import Path
from model.pack import load_pack
from scoring.run import Job, run
pack, path, out, explain = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
pack = load_pack(pack)
began = time.perf_counter()
job = Job(path, out, out.with_suffix(".rejects.csv"), out.with_suffix(".json"), None, explain, 0.9, "2026-01-01",
          workers=2, overwrite=True)
summary = run(job, pack)
print(json.dumps([summary.rows, time.perf_counter() - began]))
"""

PYFUNC = """
import sys, time, json
import mlflow, pandas, pyarrow.parquet as pq
frame = next(pq.ParquetFile(sys.argv[2]).iter_batches(int(sys.argv[3]))).to_pandas()
frame["patient_id"] = [f"p{at}" for at in range(len(frame))]
frame = frame.dropna(axis=1, how="all")
model = mlflow.pyfunc.load_model(sys.argv[1])
numbers = frame.select_dtypes("number").columns
frame[numbers] = frame[numbers].astype(float)
began = time.perf_counter()
model.predict(frame)
print(json.dumps([len(frame), time.perf_counter() - began]))
"""

SPARK = """
import os, sys, time, json
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
from pathlib import Path
from scoring.spark.job import score_job
began = time.perf_counter()
score_job([sys.argv[2], sys.argv[3], "--pack", sys.argv[1], "--explain", "none", "--master", "local[2]",
           "--overwrite", "--max-rejects", "100%"], standalone_mode=False)
seconds = time.perf_counter() - began
rows = json.loads((Path(sys.argv[3]) / "summary.json").read_bytes())["rows"]["in"]
print(json.dumps([rows, seconds]))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: rows a second, processor seconds of all its threads and children, peak MiB."""

    rows_per_second: float
    cpu_seconds: float
    mebibytes: float


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, patterns in ((f"{PATTERNS} patterns", PATTERNS), ("a pattern a row", None)):
            path = folder / "rows.parquet"
            _run([sys.executable, str(ROOT / "benchmarks/batch_rows.py"), str(path), "--rows", str(asked.rows),
                  *([] if patterns is None else ["--patterns", str(patterns)])])  # fmt: skip
            print(f"\n{asked.rows:,} rows x 40 columns, {title} ({path.stat().st_size / 2**20:.0f} MiB)")
            compare(asked, path, folder)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mlflow-model")
    parser.add_argument("--pyfunc-rows", type=int, default=5_000)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    return parser.parse_args()


def compare(asked: argparse.Namespace, path: Path, folder: Path) -> None:
    """Measure all targets on one file, and print a table."""
    commands: dict[str, list[str]] = {}
    pack = str(asked.pack.resolve())
    if "limit" in asked.only:
        commands["limit"] = ["-c", LIMIT, pack, str(path)]
    for explain in EXPLAIN:
        if explain in asked.only:
            commands[explain] = ["-c", OURS, pack, str(path), str(folder / "out.parquet"), explain]
    if asked.mlflow_model is not None:
        commands["pyfunc"] = ["-c", PYFUNC, asked.mlflow_model, str(path), str(asked.pyfunc_rows)]
    if asked.spark:
        commands["spark"] = ["-c", SPARK, pack, str(path), str(folder / "spark")]
    found: dict[str, list[Measured]] = {target: [] for target in commands}
    for _ in range(asked.rounds):
        for target, command in commands.items():
            found[target].append(_measured([sys.executable, *command]))
    print("| | rows/s | of the limit | processor s a million rows | peak MiB |\n|---|---|---|---|---|")
    limit = median(each.rows_per_second for each in found["limit"]) if "limit" in found else float("nan")
    for target, runs in found.items():
        speed = median(each.rows_per_second for each in runs)
        rows = asked.pyfunc_rows if target == "pyfunc" else asked.rows
        cpu = median(each.cpu_seconds for each in runs) / rows * 1e6
        peak = max(each.mebibytes for each in runs)
        print(f"| {target} | {speed:,.0f} | {speed / limit:.3f} | {cpu:.1f} | {peak:,.0f} |", flush=True)


def _measured(command: Sequence[str]) -> Measured:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=said, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0), errors.seek(0)
        if process.returncode:
            raise SystemExit(errors.read().decode("utf-8", "replace"))
        rows, seconds = json.loads(said.read().splitlines()[-1])
    return Measured(rows / seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
