"""The search itself: trial after trial until the budget is spent, each as if no process had ever been killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.settings import DEFAULTS
from training.tuning.fold_errors import FoldErrors
from training.tuning.search_space import suggested
from training.tuning.study_lease import Lease, StudyBusy
from training.tuning.trials import ERROR, FOLD_ERRORS, TURN, Trialled, ranked, trialled, trials_of

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler

STARTUP_TURNS = 10  # drawn at random before the sampler learns from what was tried
MOST_ERRORS = 3  # in a row, in one process; a fit that fails so often fails for a reason that no setting mends


class SearchError(RuntimeError):
    """A search that cannot go on."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is tried: trials in all, those of earlier runs counted; and a time to begin no more of them."""

    trials: int
    until: float | None = None  # of time.monotonic()

    @property
    def out_of_time(self) -> bool:
        """Whether that time has come."""
        return self.until is not None and time.monotonic() >= self.until


def end_what_was_killed(study: Study) -> int:
    """Mark trials that a killed process left running as failed, and say how many. Only a lease holder may."""
    from optuna.trial import TrialState

    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        study.tell(trial.number, state=TrialState.FAIL)
    return len(left)


def search(
    study: Study, errors: FoldErrors, budget: Budget, *, seed: int, lease: Lease, ended: Callable[[Trialled], None]
) -> None:
    """Try settings until the budget is spent. The default settings come first, whatever the time.

    What is suggested depends on the seed, the turn and the trials that came to an end before, and on nothing that
    dies with a process: the sampler is made anew for each turn.

    Args:
        study: new, or with the trials of earlier runs.
        errors: what is minimised.
        budget: when to stop.
        seed: of the suggestions.
        lease: on the study.
        ended: told of each trial that has ended.

    Raises:
        StudyBusy: another process has taken the study. SearchError: one fit after another fails.
        KeyboardInterrupt: from the keyboard; the trial at hand is marked as failed.
    """
    from optuna.trial import TrialState

    failed_in_a_row = 0
    while True:
        trials = trials_of(study)
        turn = sum(trial.state in {"complete", "pruned"} for trial in trials)
        if turn >= budget.trials or (turn > 0 and budget.out_of_time):
            return
        lease.require()
        study.sampler = _sampler(seed, turn, sum(trial.state == "failed" for trial in trials))
        if turn == 0:
            _enqueue_defaults(study)
        trial = study.ask()
        trial.set_user_attr(TURN, turn)
        try:
            _tried(study, trial, errors, lease)
        except StudyBusy:  # whose trial it is now
            raise
        except BaseException:  # the keyboard's too
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            ended(trialled(study.trials[trial.number]))
            raise
        found = trialled(study.trials[trial.number])
        ended(found)
        failed_in_a_row = failed_in_a_row + 1 if found.state == "failed" else 0
        if failed_in_a_row == MOST_ERRORS:
            raise SearchError(f"{MOST_ERRORS} trials in a row failed, the last with {found.error}")


def _tried(study: Study, trial: Trial, errors: FoldErrors, lease: Lease) -> None:
    """Evaluate one trial, and tell the study what came of it."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    value, state = None, TrialState.COMPLETE
    try:
        value = _mean_squared_error(study, trial, errors)
    except TrialPruned:
        state = TrialState.PRUNED
    except Exception as error:
        trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}"[:300])
        state = TrialState.FAIL
    lease.require()
    study.tell(trial, value, state)


def _mean_squared_error(study: Study, trial: Trial, errors: FoldErrors) -> float:
    """Over all folds, unless the trial is pruned; what it reports is the difference from the defaults so far."""
    from optuna import TrialPruned

    reference = next((found.fold_errors for found in ranked(trials_of(study)) if found.turn == 0), None)
    settings = suggested(trial)
    found: list[float] = []
    for fold, error in enumerate(errors.each(settings)):
        found.append(error)
        trial.set_user_attr(FOLD_ERRORS, found)
        compared = errors.pooled(found) - errors.pooled(reference[: len(found)]) if reference else 0.0
        trial.report(compared, fold)
        if fold + 1 < len(errors.sizes) and trial.should_prune():
            raise TrialPruned
    return errors.pooled(found)


def _sampler(seed: int, turn: int, failed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    own = int(np.random.SeedSequence([seed, turn, failed]).generate_state(1)[0])
    return TPESampler(n_startup_trials=STARTUP_TURNS, multivariate=True, constant_liar=False, seed=own)


def _enqueue_defaults(study: Study) -> None:
    """The defaults come next, unless a process was killed when they were already waiting."""
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(asdict(DEFAULTS))
