"""Whether a tracking store answers: asked once and briefly, where MLflow itself would try for minutes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 10
_ONCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(PATIENCE_SECONDS)}
_DATABASE = re.compile(r"(?P<kind>postgresql|mysql|mssql|sqlite)(\+\w+)?:")
_PATIENCE_OPTION = {"postgresql": "connect_timeout", "mysql": "connect_timeout"}


class Unreachable(OSError):
    """Nothing answers at the address of a store."""


@contextmanager
def asking_once() -> Iterator[None]:
    """Within the block a question to a tracking server is asked once, for at most `PATIENCE_SECONDS`.

    MLflow's default is 7 repetitions of 120 s. What the user has set for MLflow stays as it is.
    """
    set_here = {name: value for name, value in _ONCE.items() if name not in os.environ}
    os.environ.update(set_here)
    try:
        yield
    finally:
        for name in set_here:
            del os.environ[name]


def require_database(uri: str) -> None:
    """Connect once to a store that is a database; another kind of store is left alone.

    Raises:
        Unreachable: it does not answer, refuses us, or is not a database of that kind.
    """
    found = _DATABASE.match(uri)
    if found is None:
        return
    import sqlalchemy

    option = _PATIENCE_OPTION.get(found["kind"])
    try:
        engine = sqlalchemy.create_engine(uri, connect_args={option: PATIENCE_SECONDS} if option else {})
        try:
            sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()
    except ImportError as error:
        raise Unreachable(f"{error}; install that driver, or name another, as postgresql+psycopg2://") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Unreachable(reason(error)) from error


def reason(error: BaseException) -> str:
    """The first line of what lies at the bottom of an error, without the layers that hid it.

    >>> try:
    ...     try:
    ...         raise ConnectionRefusedError(111, "Connection refused")
    ...     except OSError as error:
    ...         raise RuntimeError("Max retries exceeded with url: /api/2.0/mlflow") from error
    ... except RuntimeError as error:
    ...     print(reason(error))
    Connection refused
    """
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.strip().splitlines()[0] if said.strip() else type(error).__name__


def without_password(uri: str) -> str:
    """The address of a store as it may be printed: without a password.

    >>> without_password("postgresql://lab:secret@db.example.org/mlflow")
    'postgresql://lab:***@db.example.org/mlflow'
    >>> without_password("sqlite:///mlruns/mlflow.db")
    'sqlite:///mlruns/mlflow.db'
    """
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", uri)
