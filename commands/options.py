"""What several commands share: how a fault is told, the kinds of their arguments, and their common options."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from features.headers import Headers

DEFAULT_NAME = "als-progression"
DEFAULT_MODEL = f"models:/{DEFAULT_NAME}@champion"
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class Fault(click.ClickException):
    """Something the user can mend: told in one line, exit code 2."""

    exit_code = 2


name_option = click.option("--name", default=DEFAULT_NAME, show_default=True, help="Name in the model registry.")
mapping_option = click.option("--mapping", type=FILE, help="TOML file that adapts other headers, units and codes.")
index_visits_option = click.option(
    "--index-visits",
    type=click.Choice(["every", "first"]),
    default="every",
    show_default=True,
    help="Train on every visit that has an outcome, or on each patient's first such visit.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Stop where a header that is not read is like a column that is missing."
)
settings_option = click.option(
    "--settings",
    metavar="FILE|models:/NAME@ALIAS",
    help="How trees are grown: a JSON file, as tregcast tune writes it, or as a registered model has it.",
)
tracking_uri_option = click.option(
    "--tracking-uri", help="MLflow store; default MLFLOW_TRACKING_URI, else mlruns/mlflow.db here."
)


def default_workers() -> int:
    """One a core that this process may use, at most two: each has a copy of the data, and memory may be short."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2, cores)


worth_workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=default_workers,
    show_default="one a core, at most 2",
    help="Processes that evaluate sets of markers side by side, each with as much memory as one.",
)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell of a file or folder that cannot be written as of a fault.

    Raises:
        Fault: the operating system does not let it be written.
    """
    try:
        yield
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror or error}; name another place") from error


def require_folder(folder: Path) -> None:
    """Find out before the work, not after it, that a folder cannot be made or written. Nothing is left behind.

    Raises:
        Fault: it cannot.
    """
    with writing(folder):
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass


def name_headers(headers: Headers) -> None:
    """What becomes of the headers of a table, on standard error."""
    for line in headers.lines():
        tell(line)


def tell_result(text: str, kept: str) -> None:
    """What became of finished work, on standard output. Full or closed, it spoils nothing of the work.

    Args:
        text: what is printed.
        kept: where the same can be read, for a message on standard error.
    """
    if sys.stdout is None:  # closed before the command began
        return
    try:
        click.echo(text)
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # else the interpreter fails as it flushes at its end
        with suppress(OSError):
            click.echo(f"Warning: standard output cannot be written ({error.strerror}); {kept}", err=True)


def tell(text: str) -> None:
    """Progress, on standard error."""
    click.echo(f"  {text}", err=True)
