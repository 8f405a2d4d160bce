"""The tracking store: where runs are logged. A local SQLite file under ``mlruns/`` unless another is named."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

EXPERIMENT = "tregcast"
STORE = Path("mlruns")


class StoreError(RuntimeError):
    """The tracking store cannot be opened, or does not have what was asked of it."""


def quiet_mlflow() -> None:
    """Switch MLflow's telemetry and chatter off. Called before MLflow is imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # where a command may print JSON


def default_uri(folder: Path | None = None) -> str:
    """``MLFLOW_TRACKING_URI`` if it is set, else the local store under ``folder`` (the working directory).

    >>> default_uri(Path("/data"))
    'sqlite:////data/mlruns/mlflow.db'
    """
    if folder is None and os.environ.get("MLFLOW_TRACKING_URI"):
        return os.environ["MLFLOW_TRACKING_URI"]
    return f"sqlite:///{((folder or Path.cwd()) / STORE / 'mlflow.db').as_posix()}"


def open_store(uri: str | None = None) -> str:
    """Point MLflow at the store, make the store and the experiment if they are not there, and return the URI.

    Raises:
        StoreError: it cannot be opened.
    """
    quiet_mlflow()
    uri = uri or default_uri()
    from mlflow.exceptions import MlflowException

    warnings.filterwarnings("ignore", module=r"mlflow\.")  # after the import, which sets filters of its own
    try:
        _open(uri)
    except (MlflowException, OSError) as error:
        raise StoreError(f"{uri}: cannot be opened: {error}") from error
    return uri


def _open(uri: str) -> None:
    import mlflow

    artifacts: str | None = None
    if uri.startswith("sqlite:///"):
        folder = Path(uri.removeprefix("sqlite:///")).resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        artifacts = (folder / "artifacts").as_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
    mlflow.set_experiment(EXPERIMENT)
