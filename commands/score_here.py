"""``tregcast score`` on this machine."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from commands.options import Fault, name_headers, tell_result
from commands.score_report import write_report

if TYPE_CHECKING:
    from model.pack import Pack
    from scoring.runs.run import Job
    from scoring.summary import Summary

FAILED = 1
GOES_ON = "--resume goes on with it"


class _Stopped(BaseException):
    """SIGTERM has come."""


def scored_here(job: Job, folder: Path) -> tuple[Summary, Pack]:
    """Run the job with the pack of a folder.

    Raises:
        Fault: there is no result; the text says why and what to do.
        Exit: of any other failure, whose kind and place are told.
    """
    from commands.score_progress import shown
    from features.mapping import MappingError
    from model.pack import Refused, load_pack
    from scoring.fault import ScoringFault
    from scoring.runs.run import run

    try:
        pack = load_pack(folder)
        with shown() as progress:
            return run(job, pack, progress, name_headers), pack
    except Refused as error:
        raise Fault(f"{folder}: {error}") from error
    except (ScoringFault, MappingError) as error:
        raise Fault(str(error)) from error
    except Exception as error:
        click.echo(f"Error: {_place(error)}; nothing is written in the place of a result, {GOES_ON}", err=True)
        raise click.exceptions.Exit(FAILED) from error


def reported(path: Path, job: Job, pack: Pack, summary: Summary) -> None:
    """Write the page. Whatever goes wrong, the answers are in their place.

    Raises:
        Fault, Exit: there is no page; as `scored_here` has them.
    """
    from scoring.fault import ScoringFault

    try:
        write_report(path, job, pack, summary)
    except ScoringFault as error:
        raise Fault(f"{error}; {_no_page(path)}") from error
    except Exception as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else _place(error)
        click.echo(f"Error: {path}: {words}; {_no_page(path)}", err=True)
        raise click.exceptions.Exit(FAILED) from error
    tell_result(f"Written: {path}", f"the page is in its place: {path}")


@contextmanager
def stoppable(context: click.Context) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run after the chunks at work; the exit code says which."""
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except (KeyboardInterrupt, _Stopped) as stopped:
        click.echo(f"Stopped; {GOES_ON}", err=True)
        number = signal.SIGTERM if isinstance(stopped, _Stopped) else signal.SIGINT
        context.exit(128 + number)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise _Stopped


def _no_page(path: Path) -> str:
    there = f"{path} is of an earlier run" if path.exists() else "there is no report"
    return f"the answers are in place, but {there}"


def _place(error: Exception) -> str:
    """What failed and where, without its text, which may hold a value.

    >>> _place(ValueError("crp = 8200"))
    'ValueError'
    """
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, ArithmeticError) or not frames:
        return f"{type(error).__name__}{f': {error}' if isinstance(error, ArithmeticError) else ''}"
    where = " < ".join(f"{Path(frame.filename).stem}.{frame.name}:{frame.lineno}" for frame in frames[:-5:-1])
    return f"{type(error).__name__} in {where}"
