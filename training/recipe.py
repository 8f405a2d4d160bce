"""How a registered version was made, read from the parameters of its run, so that it can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from features.matrix import DesignMatrix
from model.boosting import BoosterSettings
from model.regressor import ProgressionRegressor
from training.cohort import IndexVisits
from training.fit import regressor_for
from training.registry import RegistryError, Version

SETTINGS = tuple(field.name for field in fields(BoosterSettings))
_WHOLE = {field.name for field in fields(BoosterSettings) if field.type in {"int", int}}


@dataclass(frozen=True, slots=True)
class RegisteredRun:
    """The run behind a registered version, as MLflow has it."""

    run_id: str
    started: str  # ISO 8601, UTC
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Seed, index visits and the settings of the trees of a run."""

    seed: int
    index_visits: IndexVisits
    settings: BoosterSettings

    def regressor(self, matrix: DesignMatrix) -> ProgressionRegressor:
        """An unfitted regressor with these settings."""
        return regressor_for(matrix, self.seed, self.settings)


def run_of(version: Version) -> RegisteredRun:
    """The run that made a registered version.

    Raises:
        RegistryError: the store does not have it any more.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        run_id = str(client.get_model_version(version.name, version.version).run_id)
        run = client.get_run(run_id)
    except MlflowException as error:
        raise RegistryError(
            f"{version.name} version {version.version}: its run is gone: {error.message}"
        ) from error
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return RegisteredRun(run_id, started, dict(run.data.tags), dict(run.data.params), dict(run.data.metrics))


def recipe_of(run: RegisteredRun) -> Recipe:
    """The recipe in a run's parameters.

    Raises:
        RegistryError: parameters are missing or are no numbers.
    """
    missing = [name for name in ("seed", "index_visits", *SETTINGS) if name not in run.params]
    if missing:
        raise RegistryError(f"run {run.run_id}: no parameter {', '.join(missing)}; it cannot be made again")
    try:
        numbers: dict[str, Any] = {name: (int if name in _WHOLE else float)(run.params[name]) for name in SETTINGS}
        seed = int(run.params["seed"])
    except ValueError as error:
        raise RegistryError(f"run {run.run_id}: a parameter is no number: {error}") from error
    return Recipe(seed, "first" if run.params["index_visits"] == "first" else "every", BoosterSettings(**numbers))
