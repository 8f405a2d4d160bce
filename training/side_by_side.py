"""Long computations side by side, each in a process of its own that never outlives the one that asked for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


class WorkerLost(RuntimeError):
    """A process ended before it had answered."""


def side_by_side(compute: Callable[[Given], Found], given: Iterable[Given], workers: int) -> Iterator[Found]:
    """``compute(each)`` in the order given, so many at a time; with one worker, here and one after the other.

    What is not yet computed is given up when the iterator is closed or this process ends, however it does.

    Args:
        compute: of a module's top level, for it is sent by name; so must be what makes up given and found.
        given: sent to the processes.
        workers: at least 1.

    Raises:
        WorkerLost: a process was ended from outside, as where memory is short.
        whatever compute raises.

    >>> list(side_by_side(abs, [-2, 3], workers=1))
    [2, 3]
    """
    if workers == 1:
        yield from map(compute, given)
        return
    context = get_context("spawn")  # a fork would copy threads' locks
    watched, held = context.Pipe(duplex=False)  # it is closed when this process ends, however it does
    pool = ProcessPoolExecutor(workers, context, _begin, (watched,))
    try:
        yield from pool.map(compute, given)
    except BrokenProcessPool as error:
        raise WorkerLost(
            "a process that computed was ended from outside, as happens where memory is short; fewer workers need "
            "less of it, and 1 is this process itself"
        ) from error
    except BaseException:
        held.close()  # what is being computed is given up
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        held.close()
        watched.close()


def _begin(watched: Connection) -> None:
    """End this process when the other end of the pipe is closed: by the one that asked, or by its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that of a terminal reaches all: one tells of it

    def watch() -> None:
        with suppress(EOFError, OSError):
            watched.recv_bytes()
        os._exit(0)

    threading.Thread(target=watch, daemon=True, name="parent").start()
