"""A search in MLflow: one run for the search, below it one for each trial that has ended, each written just once.

Every write can be done again with the same outcome, so that what a killed process left half written is completed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from training.run_record import KIND_TAG, Kind
from training.tracking import EXPERIMENT
from training.tuning.trials import Trialled

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from optuna import Study

STUDY_TAG, TRIAL_TAG, STATE_TAG = "tregcast.study", "tregcast.trial", "tregcast.state"
PARENT_TAG = "mlflow.parentRunId"
RUN_ATTRIBUTE = "mlflow_run_id"
FINISHED, FAILED, KILLED, RUNNING = "FINISHED", "FAILED", "KILLED", "RUNNING"
_STATUS = {"complete": FINISHED, "pruned": FINISHED, "failed": FAILED, "killed": KILLED}


@dataclass(frozen=True, slots=True)
class SearchLog:
    """The run of one search, and the runs of trials below it: which are complete, which only begun."""

    client: MlflowClient
    experiment: str
    study: str
    run_id: str
    written: set[int] = field(default_factory=set)
    begun: dict[int, str] = field(default_factory=dict)  # trial, run id

    def write(self, trial: Trialled) -> None:
        """The run of a trial, unless it is there: parameters, errors by fold and over all, state, times."""
        if trial.number in self.written:
            return
        run_id = self.begun.pop(trial.number, None) or self._begin(trial)
        tags = {STATE_TAG: trial.state} | ({"tregcast.error": trial.error} if trial.error else {})
        params = asdict(trial.settings) if trial.settings else {}
        log_values(self.client, run_id, _metrics(trial), params, tags)
        self.client.set_terminated(run_id, _STATUS[trial.state], trial.ended_ms)
        self.written.add(trial.number)

    def write_all(self, trials: tuple[Trialled, ...]) -> None:
        """The runs of all trials that have none yet, or one that a killed process did not complete."""
        for run in below(self.experiment, self.run_id):
            if (number := run.data.tags.get(TRIAL_TAG)) is not None:
                if run.info.status == RUNNING:
                    self.begun[int(number)] = str(run.info.run_id)
                else:
                    self.written.add(int(number))
        for trial in trials:
            self.write(trial)

    def summarise(self, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Figures and tags of the search so far; later ones take their place.

        The best settings are tags: MLflow never lets a parameter change, and a search that goes on may find better.
        """
        for key, value in values.items():
            self.client.log_metric(self.run_id, key, value)
        for key, text in tags.items():
            self.client.set_tag(self.run_id, key, text)

    def end(self, status: str) -> None:
        """Close the run of the search."""
        self.client.set_terminated(self.run_id, status)

    def _begin(self, trial: Trialled) -> str:
        kind: Kind = "tuning trial"
        tags = {PARENT_TAG: self.run_id, STUDY_TAG: self.study, TRIAL_TAG: str(trial.number), KIND_TAG: kind}
        run = self.client.create_run(
            self.experiment, trial.began_ms, own_tags() | tags, run_name=f"trial {trial.number}"
        )
        return str(run.info.run_id)


def open_log(
    study: Study, *, kind: Kind, title: str, params: Mapping[str, object], parent: str | None = None
) -> SearchLog:
    """The log of a study: the run it had before, running again, or a new one.

    Args:
        study: which keeps the id of its run. kind: of that run. title: its name if it is new.
        params: what the search is of. parent: run that it stands below.
    """
    import mlflow
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = str(mlflow.set_experiment(EXPERIMENT).experiment_id)
    run_id = _known(client, experiment, study, kind)
    if run_id is None:
        tags = own_tags() | {STUDY_TAG: study.study_name, KIND_TAG: kind} | ({PARENT_TAG: parent} if parent else {})
        run_id = str(client.create_run(experiment, tags=tags, run_name=title).info.run_id)
    else:
        client.update_run(run_id, RUNNING)
    study.set_user_attr(RUN_ATTRIBUTE, run_id)
    log_values(client, run_id, [], params, {})
    return SearchLog(client, experiment, study.study_name, run_id)


def log_values(
    client: MlflowClient,
    run_id: str,
    values: list[Metric],
    params: Mapping[str, object],
    tags: Mapping[str, str],
) -> None:
    """Write metrics, parameters and tags at once; the same ones again change nothing."""
    from mlflow.entities import Param, RunTag

    client.log_batch(
        run_id,
        values,
        [Param(key, str(value)) for key, value in params.items()],
        [RunTag(key, text) for key, text in tags.items()],
    )


def own_tags() -> dict[str, str]:
    """The tags that MLflow gives each run of itself, such as ``mlflow.user``."""
    from mlflow.tracking.context.registry import resolve_tags

    found: dict[str, str] = resolve_tags()
    return found


def below(experiment: str, run_id: str) -> list[Run]:
    """The runs below a run."""
    return _found(experiment, f"tags.`{PARENT_TAG}` = '{run_id}'")


def _known(client: MlflowClient, experiment: str, study: Study, kind: Kind) -> str | None:
    """The id of the study's run in this store; found by its tag if the process died before the study knew it."""
    from mlflow.exceptions import MlflowException

    if (run_id := study.user_attrs.get(RUN_ATTRIBUTE)) is not None:
        try:
            if client.get_run(run_id).info.lifecycle_stage == "active":
                return str(run_id)
        except MlflowException:  # another store, or one that was emptied: everything is logged there anew
            pass
    asked = f"tags.`{STUDY_TAG}` = '{study.study_name}' and tags.`{KIND_TAG}` = '{kind}'"
    return next((str(run.info.run_id) for run in _found(experiment, asked)), None)


def _found(experiment: str, asked: str) -> list[Run]:
    import mlflow

    found: list[Run] = mlflow.search_runs([experiment], filter_string=asked, output_format="list")
    return found


def _metrics(trial: Trialled) -> list[Metric]:
    from mlflow.entities import Metric

    at = trial.ended_ms
    found = [Metric("fold_mse", error, at, fold) for fold, error in enumerate(trial.fold_errors)]
    found.append(Metric("duration_seconds", (trial.ended_ms - trial.began_ms) / 1000, at, 0))
    if trial.mean_squared_error is not None:
        found.append(Metric("mse", trial.mean_squared_error, at, 0))
        found.append(Metric("rmse", trial.mean_squared_error**0.5, at, 0))
    return found
