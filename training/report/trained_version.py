"""A registered version with all that its run logged: its pack, parameters, metrics and libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from features.matrix import DesignMatrix
from model.boosting import BoosterSettings
from model.pack import MANIFEST, Pack
from model.regressor import ProgressionRegressor
from training.fit import regressor_for
from training.registry import PACKS, RegistryError, Version, pull, version_of
from training.tracking import open_store

COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version, its verified pack, and what its run logged."""

    registered: Version
    run_id: str
    pack: Pack
    trained_on: str  # date, UTC
    libraries: Mapping[str, str]  # that the pack was made with
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    commit: str | None  # of the code, where the run was started in a repository

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.registered.name} version {self.registered.version}"

    @property
    def seed(self) -> int:
        """Of folds and fits.

        Raises:
            RegistryError: the run did not log it.
        """
        return int(self.param("seed"))

    @property
    def settings(self) -> dict[str, float]:
        """The settings of the learner that the run logged.

        Raises:
            RegistryError: the run did not log one, or it is not a number.
        """
        usual = ProgressionRegressor()
        names = ["n_folds", *(field.name for field in fields(BoosterSettings))]
        try:
            return {name: type(getattr(usual, name))(self.param(name)) for name in names}
        except ValueError as error:
            raise RegistryError(f"{self.title}: a setting that run {self.run_id} logged is odd: {error}") from error

    def param(self, name: str) -> str:
        """A logged parameter.

        Raises:
            RegistryError: the run did not log it.
        """
        if name not in self.params:
            raise RegistryError(f"{self.title}: run {self.run_id} logged no parameter {name!r}; train it again")
        return self.params[name]

    def regressor(self, matrix: DesignMatrix, seed: int) -> ProgressionRegressor:
        """An unfitted regressor with the settings of this version."""
        regressor: ProgressionRegressor = regressor_for(matrix, seed).set_params(**self.settings)
        return regressor


def trained_version(reference: str, uri: str | None = None, packs: Path = PACKS) -> TrainedVersion:
    """The version that ``models:/name@alias`` or ``models:/name/version`` stands for.

    Raises:
        StoreError: the store cannot be opened. RegistryError: the registry or the store does not have it.
        Refused: its pack does not verify.
    """
    open_store(uri)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    registered = version_of(reference)
    exact = f"models:/{registered.name}/{registered.version}"  # an alias may move meanwhile
    folder, pack = pull(exact, uri, packs)
    client = MlflowClient()
    try:
        run_id = str(client.get_model_version(registered.name, registered.version).run_id)
        run = client.get_run(run_id)
    except MlflowException as error:
        raise RegistryError(f"{reference}: the run behind it cannot be had: {error.message}") from error
    manifest: dict[str, dict[str, str]] = json.loads((folder / MANIFEST).read_bytes())
    return TrainedVersion(
        registered=registered,
        run_id=run_id,
        pack=pack,
        trained_on=datetime.fromtimestamp(run.info.start_time / 1000, UTC).date().isoformat(),
        libraries=dict(manifest["versions"]),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        commit=run.data.tags.get(COMMIT),
    )
