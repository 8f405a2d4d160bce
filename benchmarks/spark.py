"""Rows a second on Spark: our map over Arrow batches beside `mlflow.pyfunc.spark_udf` and one process alone.

    python benchmarks/spark.py PACK --mlflow-model MODEL [--rows 20000] [--rounds 3] [--explain top5]

PACK is a folder with a pack; MODEL the same model as MLflow has it, a URI or a folder. The rows are simulated
patients, one row each (batches of `spark_udf` cut a patient's rows apart, so no other table is answered rightly by
both), in one Parquet file. Measured in turns, medians of the rounds, after one round that is not counted:

    process    the same scorer in this process, one thread, from Parquet to tables in memory
    arrow      the map alone on local[2]: Parquet in, answers and rejects thrown away
    spark_udf  `mlflow.pyfunc.spark_udf` on local[2]: Parquet in, answers thrown away
    run        the whole run on local[2]: counted, scored, written, parted, put in place

Before that, the answers of both are compared: their rates must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from features.mapping import ColumnMapping
from features.today import latest_date
from model.pack import load_pack
from scoring.chunk import TableChunk
from scoring.columns import answer_schema
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings
from training.reference.reference_cohort import simulate

CORES, CHUNK = 2, 8192
COLUMNS = "progression_rate double, interval_lower double, interval_upper double, outcome string, reasons string"


def main() -> None:
    asked = arguments()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    settings = ScoreSettings(asked.explain, 0.9, latest_date(datetime.now(UTC)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write_rows(path, asked.rows)
        compare(path, asked, settings, Path(folder))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--mlflow-model", required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--explain", choices=["none", "top5", "all"], default="top5")
    return parser.parse_args()


def write_rows(path: Path, count: int) -> None:
    """Last visits of simulated patients, as often as it takes; numbers as numbers, so that both take them."""
    frame = simulate(300, 7).groupby("patient_id", sort=False).tail(1).drop(columns="patient_id")
    frame = frame.drop(columns=[name for name in frame.columns if frame[name].isna().all()])
    repeated = pd.concat([frame] * (count // len(frame) + 1), ignore_index=True).iloc[:count]
    numeric = repeated.select_dtypes("number").columns
    repeated[numeric] = repeated[numeric].astype(float)
    repeated.to_parquet(path, index=False, row_group_size=max(1000, count // 8))


def compare(path: Path, asked: argparse.Namespace, settings: ScoreSettings, folder: Path) -> None:
    import mlflow
    from pyspark.sql import functions as sql

    from scoring.spark.columns import both_schema
    from scoring.spark.run import run, spark_schema
    from scoring.spark.scored_rows import ScoreTask
    from scoring.spark.session import start
    from scoring.spark.shipped_pack import ship
    from scoring.spark.source import read_source

    pack = load_pack(asked.pack)
    session = start(f"local[{CORES}]")
    session.sparkContext.setLogLevel("ERROR")
    session.conf.set("spark.sql.files.maxPartitionBytes", max(1, path.stat().st_size // (CORES * 2)))
    shipped = ship(session, asked.pack, pack.id)
    udf = mlflow.pyfunc.spark_udf(session, asked.mlflow_model, result_type=COLUMNS, env_manager="local")
    mapping = ColumnMapping()

    def arrow() -> object:
        source = read_source(session, str(path), mapping)
        task = ScoreTask(shipped, mapping, settings, source.patient_type, source.used, source.headers)
        schema = both_schema(answer_schema(source.patient_type, pack.predictor.matrix, settings.explain))
        return source.frame.mapInArrow(task.over(), spark_schema(schema))

    def by_udf() -> object:
        frame = session.read.parquet(str(path))
        return frame.select(udf(sql.struct(*frame.columns)).alias("answer"))

    def thrown_away(frame: Callable[[], object]) -> Callable[[], object]:
        return lambda: frame().write.format("noop").mode("overwrite").save()  # type: ignore[attr-defined]

    def whole() -> object:
        out = str(folder / "out")
        return run(
            session, str(path), out, pack_folder=asked.pack, mapping=mapping, settings=settings, overwrite=True
        )

    same = same_rates(arrow(), by_udf())
    print(f"{asked.rows:,} rows, explain {asked.explain}; {same:,} rates compared, all the same to the last bit")
    measured = {
        "process": lambda: in_process(path, Scorer(pack.predictor, mapping, settings, pa.string())),
        "arrow": thrown_away(arrow),
        "spark_udf": thrown_away(by_udf),
        "run": whole,
    }
    tell(times(measured, asked.rounds), asked.rows)
    session.stop()


def same_rates(ours: object, theirs: object) -> int:
    """How many rates were compared; they are the same numbers, if perhaps in another order."""
    found = ours.where("kind = 'answers'").select("progression_rate").toPandas()["progression_rate"]  # type: ignore[attr-defined]
    other = theirs.select("answer.progression_rate").toPandas()["progression_rate"]  # type: ignore[attr-defined]
    left, right = (np.sort(column.dropna().to_numpy(np.float64)) for column in (found, other))
    if left.tobytes() != right.tobytes():
        raise SystemExit(f"the rates differ: {len(left)} and {len(right)}")
    return len(left)


def in_process(path: Path, scorer: Scorer) -> None:
    known = [name for name in pq.read_schema(path).names if name != "provenance"]
    row = 1
    for batch in pq.ParquetFile(path).iter_batches(CHUNK, columns=known):
        scorer.score(TableChunk(np.arange(row, row + batch.num_rows), pa.Table.from_batches([batch])))
        row += batch.num_rows


def times(measured: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in measured}
    for turn in range(rounds + 1):
        for name, work in measured.items():
            begun = perf_counter()
            work()
            if turn:
                found[name].append(perf_counter() - begun)
    return {name: median(seconds) for name, seconds in found.items()}


def tell(seconds: dict[str, float], rows: int) -> None:
    print(f"{'':12}{'seconds':>10}{'rows/s':>12}{'to spark_udf':>14}{'to process':>12}")
    for name, taken in seconds.items():
        ratios = seconds["spark_udf"] / taken, seconds["process"] / taken
        print(f"{name:12}{taken:>10.2f}{rows / taken:>12,.0f}{ratios[0]:>14.2f}{ratios[1]:>12.2f}")


if __name__ == "__main__":
    main()
