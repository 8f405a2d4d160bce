"""One tuning: a search for settings of the trees, logged to MLflow, which outlives the process that runs it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.matrix import DesignMatrix
from model.boosting import BoosterSettings
from model.crossfit import grouped_folds
from training.cohort import Cohort, IndexVisits, read_cohort
from training.examples import Examples, examples_of
from training.fit import regressor_for, require_enough
from training.progress import Progress, silent
from training.run_record import DURATION, Beginning, Kind, log_record
from training.tracking import StoreError, open_store, project_run
from training.tuning.fold_errors import FoldErrors, Regressor, Rows
from training.tuning.honest_tuning import Honest, OuterFold, honest, outer_fold
from training.tuning.keyboard import Keyboard, remembered
from training.tuning.search import Budget, end_what_was_killed, search
from training.tuning.search_log import FAILED, FINISHED, KILLED, SearchLog, open_log
from training.tuning.search_space import SPACE
from training.tuning.study_lease import Lease, StudyBusy
from training.tuning.study_store import Subject, default_storage, open_storage, open_study
from training.tuning.trials import Search, Trialled, importances_of, trials_of
from training.tuning.tuning_summary import Tuning, documents, figures_of, settings_tags

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

N_FOLDS = 5
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
MakeFor = Callable[[DesignMatrix, int, BoosterSettings], Regressor]
_FOLDS, _OUTER_FOLDS = 1, 2  # streams of the seed: other folds than those that training is judged on


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a search is: trials that count, and the mean squared errors of the defaults and the best so far."""

    part: str
    done: int
    wanted: int
    last: Trialled | None  # None when the search begins, or goes on
    default: float | None
    best: float | None


Watch = Callable[[Standing], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a tuning."""

    trials: int = 50
    minutes: float | None = None
    seed: int = 0
    name: str | None = None  # of the study
    index_visits: IndexVisits = "every"
    outer: int = 0  # outer folds; none without
    n_folds: int = N_FOLDS


class Interrupted(Exception):
    """A tuning that the user broke off; all trials that had ended are kept."""

    def __init__(self, done: int, wanted: int) -> None:
        self.done, self.wanted = done, wanted
        super().__init__(f"{done} of {wanted} trials are done and kept")


def ignore(standing: Standing, /) -> None:
    """Watch nothing."""
    del standing


def tune(
    cohort_path: Path | str,
    mapping_path: Path | str | None = None,
    plan: Plan | None = None,
    *,
    tracking_uri: str | None = None,
    storage: str | None = None,
    make: MakeFor = regressor_for,
    watch: Watch = ignore,
    progress: Progress = silent,
) -> Tuning:
    """Search for settings on a cohort file; with outer folds, also say honestly what that is worth.

    Args:
        cohort_path, mapping_path: as of `training.train.train`. plan: what is asked.
        tracking_uri: MLflow's store. storage: the database of the study; beside that store by default.
        make: the regressor whose settings are sought.
        watch: told how far it is. progress: told what else goes on.

    Raises:
        CohortError, MappingError: the cohort or its mapping cannot be used. Nothing is logged then.
        StoreError: a store cannot be opened; the study is another one's (`StudyBusy`: or is being searched).
        SearchError: one fit after another fails.
        Interrupted: from the keyboard.
    """
    plan, begun = plan or Plan(), Beginning.now()
    if plan.name is not None and not NAME.fullmatch(plan.name):
        raise StoreError(f"--name = {plan.name!r} is not of letters, digits, dot, dash and underscore")
    cohort = read_cohort(cohort_path, mapping_path, index_visits=plan.index_visits, progress=progress)
    require_enough(cohort)
    examples = examples_of(cohort)
    uri = open_store(tracking_uri)
    with open_storage(storage or default_storage(uri)) as opened, remembered() as keyboard:
        work = _Work(plan, cohort, examples, opened, make, watch, progress, _deadline(plan), keyboard)
        return _run(work, begun, uri)


@dataclass(frozen=True, slots=True)
class _Work:
    """All that a tuning works with."""

    plan: Plan
    cohort: Cohort
    examples: Examples
    storage: RDBStorage
    make: MakeFor
    watch: Watch
    progress: Progress
    until: float | None
    keyboard: Keyboard

    @property
    def study_name(self) -> str:
        return self.plan.name or f"tune-{self.subject('all rows').fingerprint[:16]}"

    @property
    def rows(self) -> Rows:
        return Rows(self.examples.X, self.examples.y, self.examples.groups)

    def made(self, settings: BoosterSettings) -> Regressor:
        return self.make(self.examples.matrix, self.plan.seed, settings)

    def subject(self, part: str) -> Subject:
        plan = self.plan
        return Subject(self.cohort.digest, plan.index_visits, plan.seed, plan.n_folds, part)


def _run(work: _Work, begun: Beginning, uri: str) -> Tuning:
    """Search all rows, then each outer fold, below one MLflow run that ends in order whatever happens."""
    study = open_study(work.storage, work.study_name, work.subject("all rows"))
    with Lease(study, work.storage, work.progress) as lease:
        title, parent = f"tuning on {work.cohort.name}", project_run()
        log = open_log(study, kind="tuning", title=title, params=_params(work), parent=parent)
        before = log.client.get_run(log.run_id).data.metrics.get(DURATION, 0.0)
        try:
            found = _search(work, work.study_name, "all rows", work.rows, lease, log)
            judged = _judged(work, lease, log) if work.plan.outer else None
            _document(log, found, judged)
            log_record(log.run_id, "tuning", work.cohort, begun, seconds_before=before)
        except StudyBusy:  # the run is another process's now
            raise
        except KeyboardInterrupt:
            log.end(KILLED)
            raise Interrupted(_done(study), work.plan.trials) from None
        except BaseException:
            log.end(FAILED)
            raise
        log.end(FINISHED)
    return Tuning(work.cohort, found, judged, uri)


def _search(work: _Work, name: str, part: str, rows: Rows, lease: Lease, log: SearchLog) -> Search:
    """Begin the search of a study, or go on with it, until the budget is spent."""
    study = open_study(work.storage, name, work.subject(part))
    if ended := end_what_was_killed(study):
        work.progress(f"trials that were broken off and are done again: {ended}")
    log.write_all(trials_of(study))
    plan = work.plan

    def far(last: Trialled | None) -> Search:
        found = Search(name, log.run_id, plan.trials, trials_of(study), {})
        best = found.best.mean_squared_error if found.ranked else None
        default = found.default.mean_squared_error if found.ranked else None
        work.watch(Standing(part, found.done, plan.trials, last, default, best))
        return found

    def ended_with(trial: Trialled) -> None:
        log.write(trial)
        far(trial)
        work.keyboard.require_silence()

    far(None)
    errors = FoldErrors.of(rows, work.made, n_folds=plan.n_folds, seed=_stream(plan.seed, _FOLDS))
    search(study, errors, Budget(plan.trials, work.until), seed=plan.seed, lease=lease, ended=ended_with)
    found = Search(name, log.run_id, plan.trials, trials_of(study), importances_of(study))
    log.summarise(figures_of(found), settings_tags(found))
    return found


def _judged(work: _Work, lease: Lease, log: SearchLog) -> Honest | None:
    """The search repeated inside each outer fold; None if time ran out before the last."""
    plan, rows = work.plan, work.rows
    folds = grouped_folds(rows.groups, plan.outer, _stream(plan.seed, _OUTER_FOLDS))
    found: list[OuterFold] = []
    for fold in range(int(folds.max()) + 1):
        if work.until is not None and time.monotonic() >= work.until:
            work.progress(f"time is up after {fold} of {plan.outer} outer folds; the same command goes on")
            return None
        find = partial(_inside, work, fold, lease, log)
        found.append(outer_fold(rows, folds == fold, work.made, find))
    return honest(rows, work.examples.patient, folds, found, seed=plan.seed)


def _inside(work: _Work, fold: int, lease: Lease, above: SearchLog, rows: Rows) -> BoosterSettings:
    """The settings that a search finds on the rows outside of one outer fold."""
    part = f"outer fold {fold + 1} of {work.plan.outer}"
    name = f"{work.study_name}.{part.replace(' ', '-')}"
    study = open_study(work.storage, name, work.subject(part))
    kind: Kind = "tuning fold"
    log = open_log(study, kind=kind, title=part, params=_params(work), parent=above.run_id)
    try:
        found = _search(work, name, part, rows, lease, log)
    except StudyBusy:
        raise
    except BaseException as error:
        log.end(KILLED if isinstance(error, KeyboardInterrupt) else FAILED)
        raise
    log.end(FINISHED)
    return found.best_settings


def _document(log: SearchLog, found: Search, judged: Honest | None) -> None:
    """Artifacts of the run of a tuning, and the figures of its outer folds."""
    for file, text in documents(found, judged).items():
        log.client.log_text(log.run_id, text, file)
    if judged is not None:
        values = {f"outer_tuned_{key}": value for key, value in judged.tuned.items()}
        values |= {f"outer_default_{key}": value for key, value in judged.default.items()}
        for key, each in judged.differences.items():
            values |= {f"outer_{key}_difference": each.estimate}
            values |= {f"outer_{key}_difference_lower": each.lower, f"outer_{key}_difference_upper": each.upper}
        log.summarise({key: value for key, value in values.items() if np.isfinite(value)}, {})


def _params(work: _Work) -> dict[str, object]:
    return {
        "seed": work.plan.seed,
        "index_visits": work.plan.index_visits,
        "n_folds": work.plan.n_folds,
        "scale": work.examples.matrix.scale,
        "features": len(work.examples.matrix.columns),
        "examples": len(work.examples.y),
        **{f"range_{name}": str(found) for name, found in SPACE.items()},
    }


def _stream(seed: int, stream: int) -> int:
    """A seed of its own for a purpose: the folds searched on are not those that `train` is judged on."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])


def _done(study: Study) -> int:
    return sum(trial.state in {"complete", "pruned"} for trial in trials_of(study))


def _deadline(plan: Plan) -> float | None:
    return None if plan.minutes is None else time.monotonic() + 60.0 * plan.minutes
