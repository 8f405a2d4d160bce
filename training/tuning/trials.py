"""The trials of a search as plain values, whatever library keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from model.boosting import BoosterSettings
from training.tuning.search_space import SPACE, settings_in

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

State = Literal["complete", "pruned", "failed", "killed", "running", "waiting"]
TURN, FOLD_ERRORS, ERROR = "turn", "fold_mse", "error"
FEWEST_FOR_IMPORTANCE = 10  # complete trials; what fewer say of eight settings is chance


@dataclass(frozen=True, slots=True)
class Trialled:
    """One trial: settings that were tried, and what came of it.

    ``turn`` counts the trials that ended in order before it: one that was killed is done again in the same turn.
    """

    number: int
    turn: int | None
    state: State
    settings: BoosterSettings | None  # None if it was killed before it had any
    mean_squared_error: float | None  # (points/month)^2 over all folds; None unless complete
    fold_errors: tuple[float, ...]  # mean squared error in the folds that it came to
    error: str | None
    began_ms: int  # since 1970
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Search:
    """A search so far, or when its budget is spent."""

    study: str
    run_id: str  # of the MLflow run whose children the trials are
    wanted: int  # trials
    trials: tuple[Trialled, ...]  # that have ended, in order
    importances: Mapping[str, float]  # setting, share of what the error varies by; empty with few trials

    def count(self, state: State) -> int:
        """Trials that ended so."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def done(self) -> int:
        """Trials that count: complete or pruned."""
        return self.count("complete") + self.count("pruned")

    @property
    def ranked(self) -> tuple[Trialled, ...]:
        """Complete trials from the least error; of equals the earlier first."""
        return ranked(self.trials)

    @property
    def best(self) -> Trialled:
        """The complete trial with the least error."""
        return self.ranked[0]

    @property
    def best_settings(self) -> BoosterSettings:
        """Its settings."""
        found = self.best.settings
        if found is None:
            raise RuntimeError(f"trial {self.best.number} of {self.study} is complete and has no settings")
        return found

    @property
    def default(self) -> Trialled:
        """The trial of the default settings."""
        return next(trial for trial in self.ranked if trial.turn == 0)


def ranked(trials: Sequence[Trialled]) -> tuple[Trialled, ...]:
    """Complete trials from the least error; of equals the earlier first, so that none pushes the default out."""
    complete = [(t.mean_squared_error, t.number, t) for t in trials if t.mean_squared_error is not None]
    return tuple(trial for _, _, trial in sorted(complete, key=lambda found: found[:2]))


def trials_of(study: Study) -> tuple[Trialled, ...]:
    """The trials of a study that have ended, in order."""
    return tuple(trialled(found) for found in study.get_trials(deepcopy=False) if found.state.is_finished())


def trialled(found: FrozenTrial) -> Trialled:
    """A trial as a plain value."""
    from optuna.trial import TrialState

    error = found.user_attrs.get(ERROR)
    states: dict[TrialState, State] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "killed" if error is None else "failed",
        TrialState.RUNNING: "running",
        TrialState.WAITING: "waiting",
    }
    began = int(found.datetime_start.timestamp() * 1000) if found.datetime_start else 0
    return Trialled(
        number=found.number,
        turn=found.user_attrs.get(TURN),
        state=states[found.state],
        settings=settings_in(found.params) if set(SPACE) <= set(found.params) else None,
        mean_squared_error=found.value if found.state == TrialState.COMPLETE else None,
        fold_errors=tuple(found.user_attrs.get(FOLD_ERRORS, ())),
        error=error,
        began_ms=began,
        ended_ms=int(found.datetime_complete.timestamp() * 1000) if found.datetime_complete else began,
    )


def importances_of(study: Study) -> dict[str, float]:
    """Each setting's share of what the error varies by (PED-ANOVA), largest first; none below 10 complete."""
    from optuna.importance import get_param_importances

    if sum(trial.state == "complete" for trial in trials_of(study)) < FEWEST_FOR_IMPORTANCE:
        return {}
    return dict(get_param_importances(study))
