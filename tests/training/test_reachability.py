"""A store that does not answer is told of within seconds, and no password is told with it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.reachability import PATIENCE_SECONDS, asking_once
from training.tracking import StoreError, open_store

WITHIN_SECONDS = 5.0


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Connections are taken there, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def _keep_the_store_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow writes the address it is given into the environment."""
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    yield
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def refused(uri: str) -> tuple[str, float]:
    started = time.monotonic()
    with pytest.raises(StoreError) as error:
        open_store(uri)
    return str(error.value), time.monotonic() - started


def test_a_server_that_is_not_there(closed_port: int) -> None:
    said, seconds = refused(f"http://127.0.0.1:{closed_port}")
    assert said == (
        f"http://127.0.0.1:{closed_port}: cannot be opened: Connection refused; "
        "start the server, or name another in --tracking-uri or MLFLOW_TRACKING_URI"
    )
    assert seconds < WITHIN_SECONDS


def test_a_server_that_never_answers(deaf_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # what a user has set is kept
    said, seconds = refused(f"http://127.0.0.1:{deaf_port}")
    assert "timed out" in said
    assert 1 <= seconds < WITHIN_SECONDS


def test_a_question_is_asked_once_and_only_within_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with asking_once():
        assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == PATIENCE_SECONDS <= 15
        assert MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 3
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"


def test_a_database_that_is_not_there(closed_port: int) -> None:
    said, seconds = refused(f"postgresql+psycopg2://lab:secret@127.0.0.1:{closed_port}/mlflow")
    assert said.startswith(f"postgresql+psycopg2://lab:***@127.0.0.1:{closed_port}/mlflow: cannot be opened: ")
    assert "Connection refused" in said
    assert "secret" not in said
    assert seconds < WITHIN_SECONDS


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("patient_id\n", "utf-8")
    said, seconds = refused(f"sqlite:///{tmp_path}/mlflow.db")
    assert said.endswith("cannot be opened: file is not a database")
    assert seconds < WITHIN_SECONDS


def test_a_driver_that_is_not_installed() -> None:
    said, _ = refused("mysql+nobodys://lab@127.0.0.1/mlflow")
    assert "nobodys" in said


def test_a_run_that_is_of_another_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:secret@127.0.0.1:1")
    said, _ = refused(f"sqlite:///{tmp_path}/mlflow.db")
    assert "is not the store of the run that `mlflow run` opened, http://lab:***@127.0.0.1:1;" in said
    assert list(tmp_path.iterdir()) == []
