"""The search for settings: honest, resumed after kill -9 as if nothing had been, each trial in MLflow just once.

The regressor here is one small booster, so that a trial takes milliseconds. Run as a script, this file is a search
that a test kills.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import ArrayLike, NDArray

from cli import main
from commands.tune import _Display
from features.matrix import DesignMatrix
from model.boosting import BoosterSettings, fit_booster
from model.tables import TreeTables
from training.settings import DEFAULTS, LIMITS, read_settings
from training.tracking import StoreError, open_store
from training.tuning.fold_errors import FoldErrors, Rows
from training.tuning.search import MOST_ERRORS, SearchError
from training.tuning.search_space import SPACE
from training.tuning.study_lease import Lease, StudyBusy
from training.tuning.study_store import Subject, default_storage, open_storage, open_study
from training.tuning.trials import Search, Trialled
from training.tuning.tune import MakeFor, Plan, Standing, Tuning, ignore, tune
from training.tuning.tuning_summary import as_text

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[3]
PATIENTS = 60
SLOWED = 0.05  # seconds that each fit of the search that is killed takes longer
PLAN = Plan(trials=14, index_visits="first")  # beyond the ten that are drawn at random


@dataclass
class SmallRegressor:
    """A tenth of the trees, and no more than trees."""

    settings: BoosterSettings
    spread: float = 0.0
    tables: TreeTables | None = field(default=None, repr=False)

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
        rows, rates = np.asarray(X, np.float64), np.asarray(y, np.float64)
        few = replace(self.settings, n_trees=max(self.settings.n_trees // 10, 1))
        self.tables = TreeTables.from_booster_json(fit_booster(rows, rates, np.ones(len(rates)), few))
        self.spread = float(np.std(rates - self.predict(rows)))
        return self

    def predict(self, X: ArrayLike) -> Floats:
        assert self.tables is not None
        return self.tables.estimate(np.asarray(X, np.float64)).astype(np.float64) * self.tables.unit

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        return self.predict(X)[:, None] + np.array([-1.64, 1.64]) * self.spread


def small(matrix: DesignMatrix, seed: int, settings: BoosterSettings) -> SmallRegressor:
    return SmallRegressor(settings)


class SlowRegressor(SmallRegressor):
    """The same, with time to be killed in."""

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
        time.sleep(SLOWED)
        return super().fit(X, y, groups)


@dataclass
class Offset:
    """Answers 0 and something that rises with the learning rate: what a search will find is known."""

    settings: BoosterSettings

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Offset:
        return self

    def predict(self, X: ArrayLike) -> Floats:
        away = self.settings.learning_rate if self.settings != DEFAULTS else 0.0
        return np.full(len(np.asarray(X)), -100.0 * away)

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        return np.column_stack([self.predict(X) - 1.0, self.predict(X) + 1.0])


@pytest.fixture(scope="module")
def cohort_file(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tuned") / "sixty.parquet"
    few = reference_frame["patient_id"].unique()[:PATIENTS]
    reference_frame[reference_frame["patient_id"].isin(few)].to_parquet(file, index=False)
    return file


def store(folder: Path) -> str:
    return f"sqlite:///{(folder / 'mlflow.db').as_posix()}"


def tuned(cohort: Path, folder: Path, plan: Plan = PLAN, make: MakeFor = small) -> Tuning:
    return tune(cohort, plan=plan, tracking_uri=store(folder), make=make)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases, empty: making MLflow's tables takes seconds, so tests begin with a copy."""
    folder = tmp_path_factory.mktemp("stores")
    open_store(store(folder))
    with open_storage(f"sqlite:///{folder / 'tuning.db'}"):
        pass
    return folder


@pytest.fixture(scope="module")
def folder(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(stores, tmp_path_factory.mktemp("unbroken") / "mlruns"))


@pytest.fixture
def own(stores: Path, tmp_path: Path) -> Path:
    """A folder of the test's own with both databases."""
    return Path(shutil.copytree(stores, tmp_path / "mlruns"))


@pytest.fixture(scope="module")
def unbroken(cohort_file: Path, folder: Path) -> Search:
    return tuned(cohort_file, folder).search


def runs(folder: Path) -> list[Run]:
    import mlflow

    mlflow.set_tracking_uri(store(folder))
    return list(mlflow.search_runs(search_all_experiments=True, output_format="list"))


def trials_in(folder: Path, parent: str) -> dict[int, Run]:
    """The runs of trials below a run, by number; there are never two of one trial."""
    found = [run for run in runs(folder) if run.data.tags.get("mlflow.parentRunId") == parent]
    numbers = Counter(int(run.data.tags["tregcast.trial"]) for run in found)
    assert set(numbers.values()) <= {1}
    return {int(run.data.tags["tregcast.trial"]): run for run in found}


def ended(search: Search) -> list[tuple[int | None, BoosterSettings | None, str, tuple[float, ...]]]:
    """What was tried and came of it, turn by turn; trials that were killed left out."""
    return [(t.turn, t.settings, t.state, t.fold_errors) for t in search.trials if t.state != "killed"]


# ------------------------------------------------------------------------------------------------------- the search


def test_the_defaults_lie_in_the_ranges_and_the_ranges_in_the_limits() -> None:
    assert list(SPACE) == list(LIMITS)
    for name, found in SPACE.items():
        assert found.low < asdict(DEFAULTS)[name] < found.high
        assert LIMITS[name].problem(name, int(found.low) if found.whole else found.low) is None
        assert LIMITS[name].problem(name, int(found.high) if found.whole else found.high) is None


def test_the_defaults_are_the_first_trial_and_nothing_worse_is_found(unbroken: Search) -> None:
    first = unbroken.trials[0]
    assert (first.settings, first.turn, first.state) == (DEFAULTS, 0, "complete")
    assert unbroken.default == first
    best, default = unbroken.best.mean_squared_error, first.mean_squared_error
    assert best is not None
    assert default is not None
    assert best <= default
    assert len({trial.settings for trial in unbroken.trials}) == PLAN.trials == unbroken.done


def test_the_score_is_the_squared_error_out_of_fold_with_groups_kept_together() -> None:
    rng = np.random.default_rng(0)
    rows = Rows(rng.normal(size=(60, 2)), rng.normal(size=60), np.repeat([f"p{i}" for i in range(20)], 3))
    errors = FoldErrors.of(rows, SmallRegressor, n_folds=4, seed=1)
    found = list(errors.each(DEFAULTS))
    for group in np.unique(rows.groups):
        assert len(set(errors.folds[rows.groups == group])) == 1
    estimate = np.empty(60)
    for fold in range(4):
        test = errors.folds == fold
        estimate[test] = SmallRegressor(DEFAULTS).fit(rows.X[~test], rows.y[~test]).predict(rows.X[test])
    assert errors.pooled(found) == pytest.approx(np.mean((rows.y - estimate) ** 2), rel=1e-12)


def test_where_the_defaults_are_best_they_win_and_poor_trials_end_early(cohort_file: Path, own: Path) -> None:
    found = tuned(cohort_file, own, PLAN, lambda matrix, seed, settings: Offset(settings)).search
    assert found.best == found.default
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all(2 <= len(trial.fold_errors) < PLAN.n_folds for trial in pruned)
    rates = {s: [t.settings.learning_rate for t in found.trials if t.state == s and t.settings] for s in STATES}
    assert np.median(rates["pruned"]) > np.median(rates["complete"])


STATES = ("complete", "pruned")


def test_a_trial_that_fails_is_kept_as_failed_and_the_search_goes_on(cohort_file: Path, own: Path) -> None:
    class Picky(SmallRegressor):
        def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
            if self.settings.max_depth == 5:
                raise ValueError("too deep")
            return super().fit(X, y, groups)

    plan = replace(PLAN, trials=8)
    found = tuned(cohort_file, own, plan, lambda matrix, seed, settings: Picky(settings)).search
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert found.done == 8
    logged = trials_in(own, found.run_id)
    assert len(logged) == 8 + len(failed)
    for trial in failed:
        assert logged[trial.number].info.status == "FAILED"
        assert logged[trial.number].data.tags["tregcast.error"] == "ValueError: too deep"


def test_a_fit_that_always_fails_ends_the_search(cohort_file: Path, own: Path) -> None:
    class Broken(SmallRegressor):
        def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
            raise ValueError("never")

    with pytest.raises(SearchError, match=f"{MOST_ERRORS} trials in a row failed, the last with ValueError: never"):
        tuned(cohort_file, own, PLAN, lambda matrix, seed, settings: Broken(settings))
    assert Counter(run.info.status for run in runs(own)) == {"FAILED": MOST_ERRORS + 1}


# -------------------------------------------------------------------------------------------------- what MLflow has


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


# ----------------------------------------------------------------------------------------------- resumed and killed


def test_trials_are_counted_over_all_sessions_and_pieces_equal_the_whole(
    cohort_file: Path, own: Path, unbroken: Search
) -> None:
    for trials in (4, 11, 11):
        found = tuned(cohort_file, own, replace(PLAN, trials=trials)).search
        assert found.done == len(found.trials) == trials
    whole = tuned(cohort_file, own).search
    assert ended(whole) == ended(unbroken)
    assert whole.best == replace(unbroken.best, began_ms=whole.best.began_ms, ended_ms=whole.best.ended_ms)


@pytest.mark.slow  # by the sleep of its fits, and the silence that is waited for
def test_killed_in_the_midst_of_a_trial_and_resumed_it_ends_as_if_it_had_not_been(
    cohort_file: Path, own: Path, unbroken: Search
) -> None:
    process = subprocess.Popen([sys.executable, __file__, str(cohort_file), str(own)], cwd=ROOT)
    try:
        wait_for(own / "tuning.db", ended=12)  # where the sampler has begun to learn from what was tried
    finally:
        process.kill()  # SIGKILL: nothing can be tidied up
        process.wait()
    left = states(own / "tuning.db")
    assert left["RUNNING"] == 1
    assert sum(left.values()) == 13
    found = tuned(cohort_file, own).search
    assert ended(found) == ended(unbroken)
    assert found.count("killed") == 1
    logged = trials_in(own, found.run_id)
    assert Counter(run.info.status for run in logged.values()) == {"FINISHED": 14, "KILLED": 1}
    assert Counter(run.info.status for run in runs(own)) == {"FINISHED": 15, "KILLED": 1}


def states(database: Path) -> Counter[str]:
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10) as connection:
        found = [state for (state,) in connection.execute("SELECT state FROM trials")]
    connection.close()
    return Counter(found)


def wait_for(database: Path, ended: int) -> None:
    """Until so many trials have ended, and the next one has been judged on a fold."""
    running = "SELECT count(*) FROM trials JOIN trial_intermediate_values USING (trial_id) WHERE state = 'RUNNING'"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.01)
        try:
            found = states(database)
            with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10) as connection:
                reported = connection.execute(running).fetchone()[0]
            connection.close()
        except sqlite3.OperationalError:  # not there yet
            continue
        if found["COMPLETE"] + found["PRUNED"] == ended and reported:
            return
    raise AssertionError("the search did not come so far")


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(cohort_file: Path, own: Path) -> None:
    command = [sys.executable, "-m", "cli", "tune", str(cohort_file), "--index-visits", "first", "--trials", "30"]
    process = subprocess.Popen(
        command,
        cwd=own,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": store(own)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "0 of 30 trials" not in (line := process.stderr.readline()):
        assert line, "the search ended"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped: " in said
    assert "The same command goes on from there." in said
    assert "Traceback" not in said
    assert {run.info.status for run in runs(own)} <= {"KILLED", "FINISHED"}
    assert [run.info.status for run in runs(own) if run.data.tags["tregcast.kind"] == "tuning"] == ["KILLED"]
    assert states(own / "tuning.db")["RUNNING"] == 0


def test_a_study_that_is_being_searched_is_left_alone(cohort_file: Path, own: Path) -> None:
    plan = replace(PLAN, trials=1)
    name = tuned(cohort_file, own, plan).search.study
    with open_storage(f"sqlite:///{own / 'tuning.db'}") as storage:
        import optuna

        study = optuna.load_study(study_name=name, storage=storage)
        with Lease(study, storage), pytest.raises(StudyBusy, match="being searched by another process"):
            tuned(cohort_file, own, plan)
    assert tuned(cohort_file, own, plan).search.done == 1


def test_of_two_leases_the_later_one_holds(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'tuning.db'}") as storage:
        study = open_study(storage, "one", Subject("digest", "every", 0, 5))
        with Lease(study, storage) as lease:
            lease.require()
            study.set_user_attr("alive", "another beat 1")
            with pytest.raises(StudyBusy):
                lease.require()


@pytest.mark.skipif("TREGCAST_POSTGRES" not in os.environ, reason="name a database in TREGCAST_POSTGRES")
def test_a_study_in_postgresql_is_the_same_search(cohort_file: Path, own: Path, unbroken: Search) -> None:
    url, name = os.environ["TREGCAST_POSTGRES"], f"test-{uuid4().hex}"
    for trials in (5, PLAN.trials):
        plan = replace(PLAN, trials=trials, name=name)
        found = tune(cohort_file, plan=plan, tracking_uri=store(own), storage=url, make=small)
        assert found.search.done == trials
    assert ended(found.search) == ended(unbroken)
    assert sum(states(own / "tuning.db").values()) == 0


def test_time_that_is_up_leaves_the_defaults_done(cohort_file: Path, own: Path) -> None:
    found = tuned(cohort_file, own, replace(PLAN, minutes=1e-9)).search
    assert [trial.settings for trial in found.trials] == [DEFAULTS]


# -------------------------------------------------------------------------------------------------- the outer folds


@dataclass
class Spied:
    """Of which rows a fit was made, by their own bytes, and in which part of the tuning."""

    part: str
    fitted: frozenset[bytes]
    predicted: set[bytes] = field(default_factory=set)


def test_no_row_of_an_outer_fold_is_given_to_a_fit_of_its_search(cohort_file: Path, own: Path) -> None:
    part = ["none"]
    seen: list[Spied] = []

    class Spy(SmallRegressor):
        def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
            self.own = Spied(part[0], keys(X))
            seen.append(self.own)
            super().fit(X, y, groups)
            self.own.predicted.clear()  # its own rows, for the spread
            return self

        def predict(self, X: ArrayLike) -> Floats:
            self.own.predicted |= keys(X)
            return super().predict(X)

    def watch(standing: Standing) -> None:
        part[0] = standing.part

    found = tune(
        cohort_file,
        plan=Plan(trials=3, index_visits="every", outer=3),
        tracking_uri=store(own),
        make=lambda matrix, seed, settings: Spy(settings),
        watch=watch,
    )
    everything = frozenset().union(*(spied.fitted for spied in seen if spied.part == "all rows"))
    assert len(everything) == len(found.cohort.examples)
    patients = patients_of(everything, found)
    held_out = []
    for fold in range(1, 4):
        inside = [spied for spied in seen if spied.part == f"outer fold {fold} of 3"]
        final = [spied for spied in inside if len(spied.fitted) == max(len(each.fitted) for each in inside)]
        searched = [spied for spied in inside if spied not in final]
        test = final[0].predicted
        assert test == everything - final[0].fitted  # the judge: fitted on all others, asked of these
        assert len(searched) == 3 * PLAN.n_folds  # the first five are never pruned
        for spied in searched:
            assert not spied.fitted & test
            assert not spied.predicted & test
            assert not {patients[key] for key in spied.fitted} & {patients[key] for key in test}
        held_out.append(test)
    assert sum(len(test) for test in held_out) == len(everything)  # each row is judged once
    assert set().union(*held_out) == everything
    check_honest(found, own)


def keys(X: ArrayLike) -> frozenset[bytes]:
    return frozenset(row.tobytes() for row in np.asarray(X, np.float64))


def patients_of(everything: frozenset[bytes], found: Tuning) -> dict[bytes, str]:
    from training.examples import examples_of

    examples = examples_of(found.cohort)
    made = {row.tobytes(): str(whose) for row, whose in zip(examples.X, examples.patient, strict=True)}
    assert set(made) == everything
    return made


def check_honest(found: Tuning, folder: Path) -> None:
    judged = found.honest
    assert judged is not None
    assert len(judged.settings) == 3
    difference = judged.differences["rmse"]
    assert difference.estimate == pytest.approx(judged.tuned["rmse"] - judged.default["rmse"])
    assert difference.lower <= difference.estimate <= difference.upper
    assert f"{difference.estimate:+.4f} points/month" in judged.sentence
    kinds = Counter(run.data.tags["tregcast.kind"] for run in runs(folder))
    assert (kinds["tuning"], kinds["tuning fold"]) == (1, 3)
    assert {run.info.status for run in runs(folder)} == {"FINISHED"}
    top = next(run for run in runs(folder) if run.info.run_id == found.search.run_id)
    assert top.data.metrics["outer_rmse_difference"] == difference.estimate
    folds = [run for run in runs(folder) if run.data.tags["tregcast.kind"] == "tuning fold"]
    assert {run.data.tags["mlflow.parentRunId"] for run in folds} == {found.search.run_id}
    text = " ".join(as_text(found, "next").split())
    assert "on rows that the search was never given" in text
    assert "optimistic" not in text


# ------------------------------------------------------------------------------------------------------ the command


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["tune", *(str(argument) for argument in arguments)], catch_exceptions=False)


def test_a_study_of_something_else_is_not_gone_on_with(cohort_file: Path, own: Path) -> None:
    named = replace(PLAN, trials=1, name="mine")
    assert tuned(cohort_file, own, named).search.study == "mine"
    with pytest.raises(StoreError, match="--name mine: this study is of another cohort, seed"):
        tuned(cohort_file, own, replace(named, seed=1))


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
    ],
)
def test_what_the_user_can_mend(
    cohort_file: Path, own: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(own)
    result = run(cohort_file, "--tracking-uri", store(own), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
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
    result = run(cohort_file, *options, "--trials", 2)
    assert result.exit_code == 0, result.output
    assert "2 of 2 trials" in result.stdout
    assert "The best score is optimistic" in result.stdout
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


def test_the_study_is_kept_beside_the_tracking_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_storage(store(tmp_path)) == f"sqlite:///{tmp_path}/tuning.db"
    monkeypatch.chdir(tmp_path)
    assert default_storage("http://127.0.0.1:5000") == f"sqlite:///{tmp_path}/mlruns/tuning.db"


if __name__ == "__main__":
    tune(
        Path(sys.argv[1]),
        plan=PLAN,
        tracking_uri=store(Path(sys.argv[2])),
        make=lambda matrix, seed, settings: SlowRegressor(settings),
        watch=ignore,
    )
