"""``tregcast tune``: what it says, what the user can mend, and the training that follows."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from commands.tune import _Display
from tests.training.tuning.searches import runs, store
from training.settings import DEFAULTS, read_settings
from training.tuning.trials import Trialled
from training.tuning.tune import Standing


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["tune", *(str(argument) for argument in arguments)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--outer", "1"], "--outer = 1 leaves nothing to search; give 2 or more folds"),
        (["--name", "a b"], "--name = 'a b' is not of letters"),
        (["--storage", "nonsense"], "--storage is not a database URL; give one such as sqlite:///"),
        (
            ["--storage", "postgresql://me:secret@127.0.0.1:1/x"],
            "postgresql://me:***@127.0.0.1:1/x: cannot be opened",
        ),
        (["--out", "nowhere/settings.json"], "there is no folder nowhere"),
        (["--out", "/proc/settings.json"], "/proc: cannot be written: "),
    ],
)
def test_what_the_user_can_mend(
    cohort_file: Path, own: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(own)
    result = run(cohort_file, "--tracking-uri", store(own), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert told in result.stderr
    assert "secret" not in result.stderr


def test_a_cohort_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("patient_id\n1\n", "utf-8")
    result = run(tmp_path / "cohort.csv", "--tracking-uri", store(tmp_path))
    assert result.exit_code == 2
    assert "no column months_since_onset" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.csv"]


@pytest.mark.slow
def test_the_command_from_search_to_training(cohort_file: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real regressor: settings found, told, written, and trained with."""
    import mlflow

    monkeypatch.chdir(own)
    options = ["--index-visits", "first", "--tracking-uri", store(own)]
    Path("full.json").symlink_to("/dev/full")
    result = run(cohort_file, *options, "--trials", 2, "--out", "full.json")
    assert result.exit_code == 2
    assert "Error: full.json: cannot be written: No space left on device; name another place" in result.stderr
    result = run(cohort_file, *options, "--trials", 2)  # the search is kept: only what it found is written
    assert result.exit_code == 0, result.output
    assert "trial" not in result.stderr.replace("2 of 2 trials", "")
    assert "2 of 2 trials" in result.stdout
    assert "The best score is optimistic" in result.stdout
    assert "No trial did better than the default settings: nothing to change" in result.stdout
    assert not [line for line in result.stdout.splitlines() if line.startswith("Next")]
    assert read_settings(own / "settings.json") == DEFAULTS
    result = run(cohort_file, *options, "--trials", 6)
    assert "No trial did better" not in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("Next")]
    assert line.split()[1:3] == ["tregcast", "train"]
    found = read_settings(own / "settings.json")
    Path("settings.json").write_text(json.dumps(asdict(replace(found, n_trees=60))), "utf-8")
    trained = CliRunner().invoke(main, line.split()[2:], catch_exceptions=False)
    assert trained.exit_code == 0, trained.output
    logged = next(run for run in runs(own) if run.data.tags["tregcast.kind"] == "training")
    assert logged.data.params["n_trees"] == "60"
    assert float(logged.data.params["learning_rate"]) == found.learning_rate
    card = json.loads(mlflow.artifacts.load_text(f"{logged.info.artifact_uri}/card.json"))
    assert card["settings"] == asdict(replace(found, n_trees=60))


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    primary, secondary = os.openpty()
    last = Trialled(0, 0, "complete", DEFAULTS, 0.5, (0.5,), None, 0, 1)
    with os.fdopen(secondary, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with _Display() as display:
            for done in (0, 1, 2):
                display.show(Standing("all rows", done, 2, last if done else None, 0.5, 0.4))
    os.set_blocking(primary, False)
    said = ""
    with suppress(OSError):  # at the end
        while chunk := os.read(primary, 1000):
            said += chunk.decode()
    os.close(primary)
    assert "all rows" in said
    assert "2/2" in said
    assert "best 0.40000 (default 0.50000)" in said
