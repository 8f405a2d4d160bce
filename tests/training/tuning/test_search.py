"""The search: the defaults first, judged out of fold with groups kept together, a failed trial no end of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import ArrayLike

from training.settings import DEFAULTS, LIMITS
from training.tracking import StoreError
from training.tuning.fold_errors import FoldErrors, Rows
from training.tuning.search import MOST_ERRORS, SearchError
from training.tuning.search_space import SPACE
from training.tuning.study_store import default_storage
from training.tuning.trials import Search

if TYPE_CHECKING:
    pass

from tests.training.tuning.searches import PLAN, Offset, SmallRegressor, runs, store, trials_in, tuned


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


def test_time_that_is_up_leaves_the_defaults_done(cohort_file: Path, own: Path) -> None:
    found = tuned(cohort_file, own, replace(PLAN, minutes=1e-9)).search
    assert [trial.settings for trial in found.trials] == [DEFAULTS]


def test_a_study_of_something_else_is_not_gone_on_with(cohort_file: Path, own: Path) -> None:
    named = replace(PLAN, trials=1, name="mine")
    assert tuned(cohort_file, own, named).search.study == "mine"
    with pytest.raises(StoreError, match="--name mine: this study is of another cohort, seed"):
        tuned(cohort_file, own, replace(named, seed=1))


def test_the_study_is_kept_beside_the_tracking_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_storage(store(tmp_path)) == f"sqlite:///{tmp_path}/tuning.db"
    monkeypatch.chdir(tmp_path)
    assert default_storage("http://127.0.0.1:5000") == f"sqlite:///{tmp_path}/mlruns/tuning.db"
