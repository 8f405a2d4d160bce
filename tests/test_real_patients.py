"""The comparison on real patients, on a made-up table: what is kept is paired with what is run again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "real_patients.py"
ROWS = 60


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_patients", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their names
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def casi_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    score, onset = rng.integers(20, 40, ROWS), -rng.integers(200, 900, ROWS)
    rate = 10 * (40 - score) / -onset + 0.1 * rng.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "dFRS": -rate,
            "Onset.Delta": onset,
            "last.alsfrs.score": score,
            "last.alsfrs.score.date": rng.integers(60, 91, ROWS),
        }
    )
    path = tmp_path / "casi.csv.gz"
    frame.to_csv(path, index=False)
    return path


def test_delta_fs_is_points_lost_over_months_since_onset(benchmark: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("dFRS,Onset.Delta,last.alsfrs.score,last.alsfrs.score.date\n-0.7,-304.375,29,30.4375\n")
    patients = benchmark.casi(path, 0)
    assert patients.examples.feature("delta_fs") == pytest.approx([1.0])  # 11 points in 11 months
    assert patients.y == pytest.approx([0.7])
    assert patients.X.shape == (1, 3)


def test_a_learner_that_is_run_again_meets_the_others_as_they_were(
    benchmark: ModuleType, casi_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    call = ["casi", str(casi_file), "--folds", "3", "--searches", "1", "--keep", str(kept)]
    benchmark.main([*call, "--learners", "tregcast", "mean", "delta-FS", "lasso", "xgboost"])
    once = capsys.readouterr().out
    benchmark.main([*call, "--learners", "lasso"])
    assert capsys.readouterr().out == once
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in once.splitlines()[4:]}
    assert list(rows)[:5] == ["tregcast", "mean", "delta-FS", "lasso", "xgboost"]
    difference = float(rows["mean"][2]) - float(rows["tregcast"][2])
    assert float(rows["mean"][6].split(" ")[0]) == pytest.approx(difference, abs=2e-4)
    assert rows["lasso"][7] == "- |"  # it has no interval
    with np.load(kept) as file:
        outcome = -pd.read_csv(casi_file)["dFRS"].to_numpy()
        assert not any(np.array_equal(file[name], outcome) for name in file)
    with pytest.raises(SystemExit, match="other patients, outcomes or folds"):
        benchmark.main([*call, "--learners", "lasso", "--seed", "1"])
