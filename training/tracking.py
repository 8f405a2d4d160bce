"""The tracking store: where runs are logged. A local SQLite file under ``mlruns/`` unless another is named."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.reachability import asking_once, reason, require_database, without_password

EXPERIMENT = "tregcast"
STORE = Path("mlruns")
SQLITE = "sqlite:///"
RETRIES = "3"  # with MLflow's back-off of 2 s, doubled each time


class StoreError(RuntimeError):
    """The tracking store cannot be opened, or does not have what was asked of it."""


def quiet_mlflow() -> None:
    """Switch MLflow's telemetry and chatter off. Called before MLflow is imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # what fails is raised, and told by us once
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # where a command may print JSON


def default_uri(folder: Path | None = None) -> str:
    """``MLFLOW_TRACKING_URI`` if it is set, else the local store under ``folder`` (the working directory).

    >>> default_uri(Path("/data"))
    'sqlite:////data/mlruns/mlflow.db'
    """
    if folder is None and os.environ.get("MLFLOW_TRACKING_URI"):
        return os.environ["MLFLOW_TRACKING_URI"]
    return f"sqlite:///{((folder or Path.cwd()) / STORE / 'mlflow.db').as_posix()}"


def project_run() -> str | None:
    """The id of the run that ``mlflow run`` opened for this process; None where there is none, or it is in use."""
    return os.environ.get("MLFLOW_RUN_ID") or None


def open_store(uri: str | None = None, *, make: bool = True) -> str:
    """Point MLflow at the store, make the store and the experiment if they are not there, and return the URI.

    With ``make=False`` a local store that is not there is not made: who looks something up leaves nothing behind.

    Where ``mlflow run`` has opened a run for this process (``MLFLOW_RUN_ID``), its experiment is used, so that the
    next run that is started continues it.

    Raises:
        StoreError: it cannot be opened, or nothing answers there within `PATIENCE_SECONDS`.
    """
    quiet_mlflow()
    uri = uri or default_uri()
    theirs = os.environ.get("MLFLOW_TRACKING_URI", uri)
    if project_run() and uri != theirs:
        raise StoreError(
            f"tracking_uri = {without_password(uri)} is not the store of the run that `mlflow run` opened, "
            f"{without_password(theirs)}; leave --tracking-uri out, and set MLFLOW_TRACKING_URI for MLflow"
        )
    if not make:
        _require_there(uri)
    from mlflow.exceptions import MlflowException

    warnings.filterwarnings("ignore", module=r"mlflow\.")  # after the import, which sets filters of its own
    try:
        _open(uri)
    except (MlflowException, OSError) as error:
        raise StoreError(f"{without_password(uri)}: cannot be opened: {_why(error)}") from error
    return uri


def how_to_look(uri: str) -> str:
    """What a person does to see the runs of a store: its page, or the command that serves one; without a password.

    >>> how_to_look("http://tracking.clinic:5000"), how_to_look("sqlite:///mlruns/mlflow.db")
    ('open http://tracking.clinic:5000', 'mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db')
    >>> how_to_look("databricks")
    'open the workspace that databricks stands for'
    """
    shown = without_password(uri)
    if uri.startswith(("http://", "https://")):
        return f"open {shown}"
    if uri.startswith(("databricks", "uc:")):
        return f"open the workspace that {shown} stands for"
    return f"mlflow ui --backend-store-uri {shown}"


@contextmanager
def using_store(uri: str) -> Iterator[None]:
    """Within the block the store is worked with; what it fails with is told as one error.

    A tracking server that does not answer is asked `RETRIES` more times, within a quarter of a minute; MLflow's own
    default is 7, over minutes for each question. What the user has set for MLflow stays as it is.

    Raises:
        StoreError: the store did not answer, refused, or its disk is full. What was logged so far stays there.
    """
    from mlflow.exceptions import MlflowException

    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    set_here = name not in os.environ
    if set_here:
        os.environ[name] = RETRIES
    try:
        yield
    except (MlflowException, OSError) as error:
        raise StoreError(
            f"{without_password(uri)}: failed in the middle of the work: {reason(error)}. "
            "No champion was replaced. Make sure that it answers and has room, and run the same command again"
        ) from error
    finally:
        if set_here:
            del os.environ[name]


def _require_there(uri: str) -> None:
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        raise StoreError(f"{uri}: there is no store; `tregcast train` makes one, --tracking-uri names another")


def _why(error: Exception) -> str:
    """What the store said if there is one; else why there is none, and what to do."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException) and isinstance(error.__context__, OSError):  # requests' errors are such
        return f"{reason(error)}; start the server, or name another in --tracking-uri or MLFLOW_TRACKING_URI"
    return str(error)


def _open(uri: str) -> None:
    import mlflow

    artifacts: str | None = None
    if uri.startswith(SQLITE):
        folder = Path(uri.removeprefix(SQLITE)).resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        artifacts = (folder / "artifacts").as_uri()
    require_database(uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    theirs = project_run()
    with asking_once():
        found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
    if theirs is None:
        mlflow.set_experiment(EXPERIMENT)
    else:
        mlflow.set_experiment(experiment_id=mlflow.get_run(theirs).info.experiment_id)
