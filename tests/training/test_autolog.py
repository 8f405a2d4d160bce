"""Training beside ``mlflow.autolog()``, as notebooks switch it on: one run a training, no run of an inner fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
import mlflow
from model.boosting import BoosterSettings
from training.train import train
from training.tuning.tune import Plan, tune

store, cohort = sys.argv[1:]
mlflow.set_tracking_uri(store)
mlflow.autolog()
quick = BoosterSettings(n_trees=5)
alone = train(cohort, tracking_uri=store, settings=quick)
with mlflow.start_run(run_name="of the notebook") as theirs:
    within = train(cohort, tracking_uri=store, settings=quick)
tune(cohort, plan=Plan(trials=1), tracking_uri=store)
client = mlflow.MlflowClient()
runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
theirs = client.get_run(theirs.info.run_id)
print(json.dumps({
    "kinds": sorted(run.data.tags.get("tregcast.kind", "none") for run in runs),
    "parent": client.get_run(within.run_id).data.tags["mlflow.parentRunId"] == theirs.info.run_id,
    "theirs": [len(theirs.data.params), len(theirs.data.metrics)],
    "logged": client.get_run(alone.run_id).data.params == client.get_run(within.run_id).data.params,
    "pack": alone.pack_id == within.pack_id,
}))
"""


@pytest.mark.slow
def test_no_inner_fit_is_logged(reference_file: Path, tmp_path: Path) -> None:
    """The arguments are texts, as a notebook gives them."""
    store = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    (tmp_path / "mlruns").mkdir()
    command = [sys.executable, "-c", SCRIPT, store, str(reference_file)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "kinds": ["decision", "none", "training", "training", "tuning", "tuning trial"],
        "parent": True,
        "theirs": [0, 0],
        "logged": True,
        "pack": True,
    }
