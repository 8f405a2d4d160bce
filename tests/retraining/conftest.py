"""A real tracking server for the tests: MLflow's own, on PostgreSQL, both started here and both stopped here."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.servers import await_ready, running

ROOT = Path(__file__).parents[2]


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
    with _mlflow_server(postgres("mlflow"), folder) as uri:
        yield Tracking(uri, folder / "artifacts", postgres("studies"))


@contextmanager
def _mlflow_server(database: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--backend-store-uri", database, "--artifacts-destination", folder / "artifacts"),
        *("--host", "127.0.0.1", "--port", str(port), "--allowed-hosts", f"127.0.0.1:{port}"),
    ]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | settings
    with running(command, folder / "log", signal.SIGTERM, env=environment, cwd=folder) as process:
        uri = f"http://127.0.0.1:{port}"
        await_ready(lambda: _answers(f"{uri}/health"), process, folder / "log")
        yield uri


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
