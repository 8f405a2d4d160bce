"""A real tracking server for the tests: MLflow's own, on PostgreSQL, both started here and both stopped here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import mlflow_server


@dataclass(frozen=True)
class Tracking:
    """A tracking server that answers at ``uri`` and keeps artifacts under ``artifacts``, behind itself.

    ``storage`` is a database of its own in the same PostgreSQL, for studies of Optuna.
    """

    uri: str
    artifacts: Path
    storage: str


@pytest.fixture(scope="session")
def tracking_server(postgres: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """``mlflow server`` on PostgreSQL, artifacts proxied. Tests share it, so each takes a model name of its own."""
    folder = tmp_path_factory.mktemp("tracking")
    with mlflow_server(postgres("mlflow"), folder) as uri:
        yield Tracking(uri, folder / "artifacts", postgres("studies"))
