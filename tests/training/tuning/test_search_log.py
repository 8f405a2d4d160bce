"""What MLflow has of a search: each trial in a run of its own, written just once."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from training.settings import read_settings
from training.tuning.trials import Search

if TYPE_CHECKING:
    pass

from tests.training.tuning.searches import PLAN, ended, runs, trials_in, tuned


def test_each_trial_is_a_run_below_the_search(unbroken: Search, folder: Path) -> None:
    logged = trials_in(folder, unbroken.run_id)
    assert sorted(logged) == [trial.number for trial in unbroken.trials]
    import mlflow

    for trial in unbroken.trials:
        run = logged[trial.number]
        assert run.info.status == "FINISHED"
        assert run.data.tags["tregcast.state"] == trial.state
        assert {key: float(value) for key, value in run.data.params.items()} == asdict(trial.settings)  # type: ignore[arg-type]
        assert run.data.metrics.get("mse") == trial.mean_squared_error
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "fold_mse")
        assert [each.value for each in sorted(history, key=lambda each: each.step)] == list(trial.fold_errors)
        assert run.info.end_time >= run.info.start_time


def test_the_search_has_its_result_and_its_record(unbroken: Search, folder: Path, tmp_path: Path) -> None:
    import mlflow

    run = next(run for run in runs(folder) if run.info.run_id == unbroken.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["best_mse"] == unbroken.best.mean_squared_error
    assert run.data.metrics["default_mse"] == unbroken.default.mean_squared_error
    assert run.data.metrics["trials_complete"] + run.data.metrics["trials_pruned"] == PLAN.trials
    assert float(run.data.tags["best.learning_rate"]) == unbroken.best_settings.learning_rate
    assert run.data.tags["tregcast.kind"] == "tuning"
    assert {"tregcast.cohort_digest", "tregcast.provenance", "tregcast.version"} <= set(run.data.tags)
    assert {"duration_seconds", "peak_memory_mib"} <= set(run.data.metrics)
    client = mlflow.MlflowClient()
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "environment.json",
        "settings.json",
        "trials.json",
    }
    file = client.download_artifacts(run.info.run_id, "settings.json", str(tmp_path))
    assert read_settings(Path(file)) == unbroken.best_settings


def test_a_run_that_was_half_written_is_completed_and_none_written_twice(cohort_file: Path, own: Path) -> None:
    import mlflow

    plan = replace(PLAN, trials=3)
    before = tuned(cohort_file, own, plan).search
    client = mlflow.MlflowClient()
    half = trials_in(own, before.run_id)[1].info.run_id
    client.update_run(half, "RUNNING")
    after = tuned(cohort_file, own, plan).search
    assert ended(after) == ended(before)
    assert after.run_id == before.run_id
    assert {run.info.status for run in trials_in(own, before.run_id).values()} == {"FINISHED"}
    assert len(client.get_metric_history(half, "fold_mse")) == len(before.trials[1].fold_errors)
    assert len([run for run in runs(own) if run.data.tags["tregcast.kind"] == "tuning"]) == 1
