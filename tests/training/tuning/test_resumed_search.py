"""A search that was stopped or killed ends as if nothing had been; one process at a time has it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from numpy.typing import ArrayLike

from training.tuning.study_lease import Lease, StudyBusy
from training.tuning.study_store import Subject, open_storage, open_study
from training.tuning.trials import Search
from training.tuning.tune import Interrupted, tune

if TYPE_CHECKING:
    pass

from tests.training.tuning.searches import (
    PLAN,
    ROOT,
    SmallRegressor,
    ended,
    runs,
    small,
    states,
    store,
    trials_in,
    tuned,
    wait_for,
)


def test_trials_of_all_pieces_are_counted_and_equal_the_whole(
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
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.tuning.searches", str(cohort_file), str(own)], cwd=ROOT
    )
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


def test_a_study_in_postgresql_is_the_same_search(
    cohort_file: Path, own: Path, unbroken: Search, postgres: Callable[[str], str]
) -> None:
    url = postgres("tuning")
    for trials in (5, PLAN.trials):
        plan = replace(PLAN, trials=trials)
        found = tune(cohort_file, plan=plan, tracking_uri=store(own), storage=url, make=small)
        assert found.search.done == trials
    assert ended(found.search) == ended(unbroken)
    assert sum(states(own / "tuning.db").values()) == 0


class DeafRegressor(SmallRegressor):
    """Presses Ctrl-C in its first fit, and swallows it, as libraries do that call back into Python."""

    presses = 0

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
        if not DeafRegressor.presses:
            DeafRegressor.presses += 1
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return super().fit(X, y, groups)


def test_an_interrupt_that_a_library_swallows_ends_the_search_all_the_same(cohort_file: Path, own: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted):
        tuned(cohort_file, own, make=lambda matrix, seed, settings: DeafRegressor(settings))
    assert states(own / "tuning.db") == {"COMPLETE": 1}
    assert signal.getsignal(signal.SIGINT) is before
