"""``mlflow run`` on the project itself: one run, with what the command has logged, and none left open."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pandas as pd
import pytest

from cli import main

ROOT = Path(__file__).parents[2]
MLFLOW = Path(sys.executable).with_name("mlflow")
PATIENTS = 48
PROVENANCE = "simulated: 48 patients of the reference cohort"
COLUMNS = (
    "months_since_onset",
    "alsfrs_r_total",
    "age_years",
    "nfl_pg_ml",
    "crp_mg_l",
    "treg_count_per_ul",
    "treg_gate",
)


def mlflow_run(
    store: str, entry_point: str, folder: Path, **parameters: object
) -> subprocess.CompletedProcess[str]:
    """Through the shell's own PATH: the project finds the environment, it is not led there."""
    passed = [word for key, value in parameters.items() for word in ("-P", f"{key}={value}")]
    command = [str(MLFLOW), "run", str(ROOT), "-e", entry_point, *passed, "--env-manager", "local"]
    environment: Mapping[str, str] = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
        **{"PATH": "/usr/bin:/bin", "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(ROOT)},
        **{"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"},
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def folder(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the project's, with a space in its name, and two cohorts and a mapping in it."""
    folder = tmp_path_factory.mktemp("work") / "of a lab"
    folder.mkdir()
    few = reference_frame["patient_id"].unique()
    for file, count in (("cohort.csv", PATIENTS), ("too few.csv", 30)):
        frame = reference_frame[reference_frame["patient_id"].isin(few[:count])]
        frame[["patient_id", *COLUMNS]].rename(columns={"patient_id": "ID"}).to_csv(folder / file, index=False)
    mapped = "".join(f"{column} = '{column}'\n" for column in COLUMNS)
    mapping = f"name = 'Of a lab'\nprovenance = '{PROVENANCE}'\n[columns]\npatient_id = 'ID'\n{mapped}"
    (folder / "mapping.toml").write_text(mapping, "utf-8")
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.mark.slow
def test_train_continues_the_run_that_mlflow_opened(folder: Path, store: str) -> None:
    from mlflow import MlflowClient

    parameters = {"cohort": "cohort.csv", "mapping": folder / "mapping.toml", "seed": 3, "index_visits": "first"}
    done = mlflow_run(store, "train", folder, **parameters, name="of-a-lab")
    assert done.returncode == 0, done.stderr
    assert "of-a-lab version 1 (challenger, champion)" in done.stdout
    client = MlflowClient(store, store)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    [run] = [each for each in runs if each.data.tags.get("tregcast.kind") == "training"]
    assert {each.data.tags["tregcast.kind"] for each in runs} == {"training", "decision"}  # the first champion
    assert {each.info.status for each in runs} == {"FINISHED"}
    assert run.info.run_name == "of-a-lab on Of a lab"
    assert run.data.tags["mlflow.project.entryPoint"] == "train"
    assert run.data.params["seed"] == "3"
    assert run.data.params["index_visits"] == "first"
    assert 0 < run.data.metrics["cv_rmse"] < 2
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"card.json", "cohort_report.json"}
    version = client.get_model_version_by_alias("of-a-lab", "challenger")
    assert version.run_id == run.info.run_id
    assert version.tags["tregcast.pack_id"] == run.data.tags["tregcast.pack_id"]


@pytest.mark.slow
def test_a_search_stands_below_the_run_that_mlflow_opened(folder: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    parameters = {"cohort": "cohort.csv", "mapping": folder / "mapping.toml", "trials": 1, "index_visits": "first"}
    done = mlflow_run(store, "tune", folder, **parameters, out=tmp_path / "settings.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "settings.json").is_file()
    client = MlflowClient(store, store)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert {run.info.status for run in runs} == {"FINISHED"}
    below = {run.info.run_id: run.data.tags.get("mlflow.parentRunId") for run in runs}
    [top] = [run.info.run_id for run in runs if run.data.tags.get("mlflow.project.entryPoint") == "tune"]
    [search] = [run_id for run_id, parent in below.items() if parent == top]
    [trial] = [run_id for run_id, parent in below.items() if parent == search]
    assert set(below) == {top, search, trial}


def test_a_run_that_fails_is_ended_as_failed(folder: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mapping = folder / "mapping.toml"
    done = mlflow_run(store, "train", folder, cohort="too few.csv", mapping=mapping)
    assert done.returncode == 1
    assert "an honest 90 % interval needs at least 40" in done.stderr
    client = MlflowClient(store, store)
    [run] = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert run.info.status == "FAILED"


def test_each_entry_point_is_a_command_with_these_options(folder: Path) -> None:
    """Parsed by MLflow, split by a shell, and read by the command itself as far as its own checks of options."""
    from mlflow.projects.utils import load_project

    project = load_project(str(ROOT))
    for name, entry_point in project._entry_points.items():
        command = entry_point.compute_command({"cohort": str(folder / "cohort.csv")}, None)
        words = shlex.split(command)
        assert words[0].startswith("PATH=")
        assert words[1:4] == ["python", "-m", "cli"]
        top = click.Context(main, **main.context_settings)
        found, arguments = main.resolve_command(top, words[4:])[1:]
        assert found.name == name
        with found.make_context(name, list(arguments), parent=top) as context:
            assert context.params["cohort_file"] == folder / "cohort.csv"
