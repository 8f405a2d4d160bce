"""Where studies are kept, so that a search outlives the process that runs it: any database SQLAlchemy can reach."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from features.version import VERSION
from training.cohort import IndexVisits
from training.settings import DEFAULTS
from training.tracking import STORE, StoreError
from training.tuning.search_space import SPACE

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL

DATABASE = "tuning.db"
SQLITE = "sqlite:///"
SQLITE_SECONDS = 30  # that a writer waits for another
FINGERPRINT = "fingerprint"
STARTUP_TRIALS = 5  # complete ones before any is pruned
FIRST_JUDGED_FOLD = 1  # a trial is never ended on its first fold alone


@dataclass(frozen=True, slots=True)
class Subject:
    """What makes two searches the same, so that one may go on with the trials of the other."""

    cohort_digest: str
    index_visits: IndexVisits
    seed: int
    n_folds: int
    part: str = "all rows"  # or which outer fold is held out

    @property
    def fingerprint(self) -> str:
        """A digest of what a trial's error depends on: these, ranges, defaults, versions of what computes it."""
        space = {name: asdict(found) for name, found in SPACE.items()}
        code = {"tregcast": VERSION, "xgboost-cpu": version("xgboost-cpu")}
        text = json.dumps([asdict(self), space, asdict(DEFAULTS), code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def quiet_optuna() -> None:
    """Let Optuna say nothing but errors, and nothing of what is experimental in it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def default_storage(tracking_uri: str) -> str:
    """Beside a tracking store that is a SQLite file; ``mlruns/tuning.db`` here for any other.

    >>> default_storage("sqlite:////data/mlruns/mlflow.db")
    'sqlite:////data/mlruns/tuning.db'
    """
    folder = (
        Path(tracking_uri.removeprefix(SQLITE)).parent if tracking_uri.startswith(SQLITE) else Path.cwd() / STORE
    )
    return f"{SQLITE}{(folder / DATABASE).as_posix()}"


@contextmanager
def open_storage(url: str) -> Iterator[RDBStorage]:
    """Optuna's tables in a database, made if they are not there; every connection is closed at the end.

    Raises:
        StoreError: it cannot be opened. The text holds no password.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    quiet_optuna()
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):
        example = f"{SQLITE}{STORE}/{DATABASE} or postgresql://USER@HOST/NAME"
        raise StoreError(f"--storage is not a database URL; give one such as {example}") from None
    patience = {"connect_args": {"timeout": SQLITE_SECONDS}} if url.startswith(SQLITE) else {}
    try:
        if url == default_storage(url):
            Path(url.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        storage = RDBStorage(_with_driver(given).render_as_string(hide_password=False), engine_kwargs=patience)
    except (SQLAlchemyError, ImportError, OSError, RuntimeError) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        remedy = "; install the driver, or name another, as postgresql+psycopg2://" * isinstance(error, ImportError)
        raise StoreError(f"{given.render_as_string()}: cannot be opened: {cause}{remedy}") from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _with_driver(url: URL) -> URL:
    """The same with psycopg2 where no driver is named and only that one is there: SQLAlchemy 2.1 takes psycopg.

    >>> from sqlalchemy.engine import make_url
    >>> _with_driver(make_url("sqlite:///a.db")).drivername
    'sqlite'
    """
    there = {driver for driver in ("psycopg", "psycopg2") if find_spec(driver) is not None}
    return (
        url.set(drivername="postgresql+psycopg2")
        if url.drivername == "postgresql" and there == {"psycopg2"}
        else url
    )


def open_study(storage: RDBStorage, name: str, subject: Subject) -> Study:
    """A study by its name, new or as it was left.

    The median pruner, on what a trial reports after each fold: its error minus that of the default settings on the
    same folds. Wilcoxon's test of folds, the other choice, has no p below 1/32 in five folds: it could end a trial
    only before the last.

    Raises:
        StoreError: the name is taken by a search of something else.
    """
    import optuna

    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, FIRST_JUDGED_FOLD),
        load_if_exists=True,
    )
    known = study.user_attrs.get(FINGERPRINT)
    if known is None:
        study.set_user_attr(FINGERPRINT, subject.fingerprint)
    elif known != subject.fingerprint:
        raise StoreError(
            f"--name {name}: this study is of another cohort, seed, choice of visits or version; choose another"
        )
    return study
