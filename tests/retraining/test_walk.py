"""The whole walk of retraining, through the command itself, on a tracking server with PostgreSQL behind it.

A table is filled in wrongly and mended; a model is trained, tuned through a kill, evaluated, compared, promoted
through every gate, defended against a worse one, reported and rolled back. The patients are SIMULATED: those of the
reference cohort where the table is checked, and from then on some whose rate is quick to learn.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from tests.training.rivals import PROVENANCE, frame

if TYPE_CHECKING:
    from tests.retraining.conftest import Tracking

ROOT = Path(__file__).parents[2]
NAME = "als-walk"
CHAMPION, CHALLENGER = f"models:/{NAME}@champion", f"models:/{NAME}@challenger"
TRIALS = 4
CLINICAL = ("site", "months_since_onset", "alsfrs_r_total", "sex")  # all that the first version is given


@dataclass(frozen=True)
class Walk:
    """A folder in which commands are run against a tracking server, as a shell would run them."""

    folder: Path
    server: Tracking

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """A command, running in a process of its own, so that it can be killed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TREGCAST_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *(str(word) for word in arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": self.server.uri},
        )

    def run(self, *arguments: object, code: int = 0) -> str:
        """What a command printed, run to its end in this process; it must end with this exit code."""
        with chdir(self.folder):
            done = CliRunner().invoke(
                main,
                [str(word) for word in arguments],
                env={"MLFLOW_TRACKING_URI": self.server.uri},
                catch_exceptions=False,
            )
        assert done.exit_code == code, f"tregcast {arguments}: exit code {done.exit_code}\n{done.output}"
        return done.stdout

    def version(self, alias: str) -> str:
        """The version that has an alias, as the server says."""
        from mlflow import MlflowClient

        found = MlflowClient(self.server.uri, self.server.uri).get_model_version_by_alias(NAME, alias)
        return str(found.version)

    def runs(self) -> list[Any]:
        """All runs on the server, the newest first."""
        from mlflow import MlflowClient

        client = MlflowClient(self.server.uri, self.server.uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments))


@pytest.mark.slow
def test_the_walk(tracking_server: Tracking, tmp_path: Path) -> None:
    walk = Walk(tmp_path, tracking_server)
    a_template_has_the_headers_of_a_cohort(walk)
    planted_faults_are_found_and_a_clean_file_passes(walk)
    a_first_version_is_trained_and_its_pack_comes_through_the_server(walk)
    a_search_outlives_kill_9(walk)
    a_better_version_is_compared(walk)
    what_each_marker_is_worth_is_told(walk)
    it_is_promoted_through_every_gate(walk)
    a_worse_version_is_refused(walk)
    a_version_is_reported(walk)
    the_one_before_is_champion_again(walk)
    every_decision_is_in_the_lineage(walk)
    assert {run.info.status for run in walk.runs()} <= {"FINISHED", "KILLED"}  # the trial that was under way


def a_template_has_the_headers_of_a_cohort(walk: Walk) -> None:
    walk.run("cohort", "simulate", "--patients", 110, "--seed", 7, "--out", "registry.csv")
    walk.run("cohort", "template", "empty.csv")
    headers = set(pd.read_csv(walk.folder / "empty.csv").columns)
    columns = set(pd.read_csv(walk.folder / "registry.csv").columns)
    assert {column for column in columns if not column.endswith("_comparator")} <= headers


def planted_faults_are_found_and_a_clean_file_passes(walk: Walk) -> None:
    table = pd.read_csv(walk.folder / "registry.csv", dtype=str)
    table.loc[3, "crp_mg_l"] = "8200"
    table.loc[10, "albumin_g_l"] = "high"
    table.loc[20, "sex"] = "f"
    elsewhere = table["site"] == "site-2"
    converted = table.loc[elsewhere, "creatinine_umol_l"].astype(float) / 88.42
    table.loc[elsewhere, "creatinine_umol_l"] = converted.round(2).astype(str).replace("nan", "")
    table = pd.concat([table, table.iloc[[30]]], ignore_index=True)
    table.rename(columns={"nfl_pg_ml": "nfl_pgml"}).to_csv(walk.folder / "faulty.csv", index=False)
    walk.run("cohort", "check", "faulty.csv", "--json", "check.json", "--html", "check.html", code=4)
    found = {
        (finding["code"], finding["column"], finding["row"])
        for finding in json.loads((walk.folder / "check.json").read_text("utf-8"))["findings"]
    }
    assert ("out_of_range", "crp_mg_l", 4) in found
    assert ("wrong_type", "albumin_g_l", 11) in found
    assert ("contradiction", "sex", 21) in found
    assert ("duplicate_visit", "months_since_onset", len(table)) in found
    assert any(code == "site_unit" and column == "creatinine_umol_l" for code, column, _ in found)
    assert ("near_header", "nfl_pgml", None) in found
    assert "8200" in (walk.folder / "check.html").read_text("utf-8")
    assert "Found: 0 errors" in walk.run("cohort", "check", "registry.csv")


def a_first_version_is_trained_and_its_pack_comes_through_the_server(walk: Walk) -> None:
    frame().to_csv(walk.folder / "cohort.csv", index=False)
    columns = "".join(f"{column} = '{column}'\n" for column in ("patient_id", *CLINICAL))
    (walk.folder / "clinical.toml").write_text(f"provenance = '{PROVENANCE}'\n[columns]\n{columns}", "utf-8")
    said = train(walk, "--mapping", "clinical.toml")
    assert f"{NAME} version 1 (challenger, champion)" in said
    assert "SIMULATED" in said
    [run] = [run for run in walk.runs() if "cv_rmse" in run.data.metrics]
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    assert any(walk.server.artifacts.rglob("manifest.json"))
    folder, verified = walk.run("pull", CHAMPION).splitlines()
    assert verified == f"{CHAMPION} verified, pack {run.data.tags['tregcast.pack_id']}"
    assert (walk.folder / folder / "manifest.json").is_file()


def train(walk: Walk, *options: object) -> str:
    return walk.run("train", "cohort.csv", "--name", NAME, "--index-visits", "first", *options)


def a_search_outlives_kill_9(walk: Walk) -> None:
    search = ("tune", "cohort.csv", "--trials", TRIALS, "--index-visits", "first", "--storage", walk.server.storage)
    process = walk.start(*search)
    assert process.stderr is not None
    try:
        for line in process.stderr:  # ends when the process does
            if f"2 of {TRIALS} trials" in line:
                break
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (walk.folder / "settings.json").exists()
    started = time.monotonic()
    said = walk.run(*search)
    assert time.monotonic() - started < 300
    assert f"{TRIALS} of {TRIALS} trials" in said
    assert "n_trees" in json.loads((walk.folder / "settings.json").read_text("utf-8"))
    trials = [run for run in walk.runs() if "tregcast.trial" in run.data.tags]
    numbers = sorted(int(run.data.tags["tregcast.trial"]) for run in trials)
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= TRIALS  # one may have been killed


def a_better_version_is_compared(walk: Walk) -> None:
    assert f"{NAME} version 2 (challenger)" in train(walk, "--settings", "settings.json")
    found = json.loads(walk.run(*compared(), "--json"))
    assert found["champion"]["version"] == "1"
    assert found["challenger"]["version"] == "2"
    difference = found["overall"]["differences"]["rmse"]
    assert difference["estimate"] < 0


def compared() -> tuple[str, ...]:
    sides = ("--champion", CHAMPION, "--challenger", CHALLENGER)
    return ("compare", "cohort.csv", *sides, "--index-visits", "first", "--no-sites", "--no-temporal")


def what_each_marker_is_worth_is_told(walk: Walk) -> None:
    said = walk.run(
        "evaluate", "cohort.csv", "--index-visits", "first", "--only", "nfl", "--settings", "settings.json"
    )
    assert "NfL" in said


def it_is_promoted_through_every_gate(walk: Walk) -> None:
    said = walk.run("promote", "cohort.csv", "--name", NAME)
    assert "FAIL" not in said
    assert "version 2 is champion" in said
    assert walk.version("champion") == "2"


def a_worse_version_is_refused(walk: Walk) -> None:
    assert f"{NAME} version 3 (challenger)" in train(walk, "--mapping", "clinical.toml", "--seed", 1)
    said = walk.run("promote", "cohort.csv", "--name", NAME, code=3)
    assert "version 3 was refused" in said
    assert "FAIL  non-inferior" in said
    assert walk.version("champion") == "2"


def a_version_is_reported(walk: Walk) -> None:
    walk.run("report", "cohort.csv", "--version", CHAMPION, "--out", "report", "--no-worth")
    page = (walk.folder / "report" / "report.html").read_text("utf-8")
    assert "SIMULATED" in page
    assert f"{NAME} version 2" in page


def the_one_before_is_champion_again(walk: Walk) -> None:
    assert f"{NAME} version 1 is champion" in walk.run("rollback", "--name", NAME, "--reason", "end of the walk")
    assert walk.version("champion") == "1"


def every_decision_is_in_the_lineage(walk: Walk) -> None:
    found = walk.run("lineage", CHAMPION, "--json")
    assert "end of the walk" in found
    assert json.loads(found)["problems"] == []
