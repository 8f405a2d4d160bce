"""The record of a run: what it says is so, and none of it is in the pack or names a folder of the machine."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.run_record import LIBRARIES, Beginning, Checkout, checkout_of, code_tags, environment
from training.tracking import open_store

if TYPE_CHECKING:
    from mlflow.entities import Run

    from tests.conftest import Trained

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logged(trained: Trained) -> Run:
    import mlflow

    open_store(trained.run.tracking_uri)
    return mlflow.get_run(trained.run.run_id)


def git(folder: Path, *arguments: str) -> str:
    made = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return made.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one committed source file."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "code.py").write_text("x = 1\n", "utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "first")
    return tmp_path


# --------------------------------------------------------------------------------------------------- the code's own


def test_a_clean_checkout(checkout: Path) -> None:
    found = checkout_of(checkout / "room" / "code.py")
    assert found == Checkout(git(checkout, "rev-parse", "HEAD"), clean=True)


@pytest.mark.parametrize("changed", ["room/code.py", "room/new.py", "constants.toml"])
def test_changed_or_new_code_is_not_clean(checkout: Path, changed: str) -> None:
    (checkout / changed).write_text("x = 2\n", "utf-8")
    found = checkout_of(checkout / "room" / "code.py")
    assert found is not None
    assert not found.clean


def test_a_cohort_that_lies_about_leaves_the_code_clean(checkout: Path) -> None:
    (checkout / "cohort.csv").write_text("patient_id\n", "utf-8")
    found = checkout_of(checkout / "room" / "code.py")
    assert found is not None
    assert found.clean


def test_what_is_installed_into_some_others_checkout_is_not_of_it(checkout: Path) -> None:
    (checkout / "installed.py").write_text("x = 1\n", "utf-8")
    assert checkout_of(checkout / "installed.py") is None


def test_outside_of_any_checkout(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1\n", "utf-8")
    assert checkout_of(tmp_path / "code.py") is None


def test_variables_of_a_hook_do_not_lead_elsewhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = checkout_of(checkout / "room" / "code.py")
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    assert checkout_of(checkout / "room" / "code.py") == before is not None


def test_without_git_the_version_stands_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_tags() == {"tregcast.version": version("tregcast")}


# ------------------------------------------------------------------------------------------------------ a run's own


def test_a_run_says_by_what_code_when_and_who(logged: Run, trained: Trained) -> None:
    tags = logged.data.tags
    assert tags["tregcast.kind"] == "training"
    assert code_tags().items() <= tags.items()
    assert tags["tregcast.cohort_digest"] == trained.run.cohort.digest
    assert tags["tregcast.provenance"] == trained.run.cohort.provenance
    assert tags["mlflow.user"]
    began, ended = (datetime.fromisoformat(tags[f"tregcast.{name}"]) for name in ("began", "ended"))
    assert began.tzinfo is not None
    assert (ended - began).total_seconds() == pytest.approx(logged.data.metrics["duration_seconds"], abs=2)


def test_a_run_says_how_long_it_took_and_how_much_memory(logged: Run) -> None:
    lasted = (logged.info.end_time - logged.info.start_time) / 1000
    assert logged.data.metrics["duration_seconds"] > lasted > 0  # fitting comes before MLflow knows of the run
    assert 100 < logged.data.metrics["peak_memory_mib"] < 8192  # with XGBoost and pandas loaded


def test_the_environment_is_beside_it(trained: Trained) -> None:
    file = trained.folder / "artifacts" / trained.run.run_id / "artifacts" / "environment.json"
    found = json.loads(file.read_text("utf-8"))
    assert found == environment()
    assert found["libraries"]["numpy"] == version("numpy")
    assert {"tregcast", "mlflow", "scikit-learn"} <= set(found["libraries"]) <= set(LIBRARIES)


def test_no_tag_but_mlflows_own_and_no_document_names_a_folder(logged: Run, trained: Trained) -> None:
    folders = [str(Path.home()), str(ROOT), str(trained.folder)]
    own = {key: value for key, value in logged.data.tags.items() if not key.startswith("mlflow.")}
    told = [*own.values(), *logged.data.params.values(), json.dumps(environment())]
    assert not [text for text in told for folder in folders if folder in text]


def test_nothing_of_it_is_in_the_pack(trained: Trained, logged: Run) -> None:
    texts = [path.read_text("utf-8") for path in trained.pack_folder.rglob("*.json")]
    secret = [trained.run.run_id, logged.data.tags["tregcast.began"]]
    secret += [code_tags()["tregcast.git_commit"]] if "tregcast.git_commit" in code_tags() else []
    assert texts
    assert not [word for text in texts for word in (*secret, "duration_seconds", "peak_memory") if word in text]


def test_a_beginning_counts_seconds() -> None:
    begun = Beginning.now()
    assert 0 <= begun.seconds < 5
