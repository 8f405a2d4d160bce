"""SIGTERM and SIGINT before there is anything to finish: the process ends at once, as it was told to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

BEFORE_THE_END: list[Callable[[], object]] = []  # what is then to be done, and quick
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once_when_told() -> None:
    """From now on, until the server handles signals itself, a signal to end ends this process with exit code 0."""
    for number in SIGNALS:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    for done in BEFORE_THE_END:
        done()
    sys.stdout.flush()
    os._exit(0)  # no exception, which whatever is being imported or loaded might catch
