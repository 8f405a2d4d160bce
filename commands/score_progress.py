"""How ``tregcast score`` says how far it is: a bar on a terminal, a line now and then elsewhere. Counts alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from scoring.runs.progress import Progress, Step

EVERY = 5.0  # seconds between two lines
OFTEN = 0.2  # seconds between two pictures of the bar
WIDTH = 30


@contextmanager
def shown() -> Iterator[Progress]:
    """What is to be told of each step; on standard error."""
    terminal = sys.stderr.isatty()
    telling = Telling(terminal, _redraw if terminal else _line)
    yield telling
    if terminal:
        click.echo("", err=True)


class Telling:
    """Tells a step if enough time went by since the last, or if it is another step than that."""

    def __init__(self, terminal: bool, tell: Callable[[str], None]) -> None:
        self._bar, self._tell = terminal, tell
        self._words, self._began, self._told = "", 0.0, 0.0
        self._first: Step | None = None

    def __call__(self, step: Step) -> None:
        """Tell it, perhaps."""
        now = time.monotonic()
        if step.words != self._words or self._first is None:
            self._words, self._began, self._first = step.words, now, step
        elif now - self._told < (OFTEN if self._bar else EVERY) and step.share < 1:
            return
        self._told = now
        self._tell(picture(step, self._first, now - self._began, bar=self._bar))


def picture(step: Step, first: Step, seconds: float, *, bar: bool) -> str:
    """A step in one line: the share, rows, rows a second and the time left, as it went since the first.

    >>> from scoring.runs.progress import Step
    >>> picture(Step("scoring", 0.5, 3000), Step("scoring", 0.25, 1000), 10.0, bar=False)
    'scoring  50 %, 3,000 rows, 200 rows/s, 0:00:20 left'
    """
    text = f"{step.words}  {step.share:.0%}".replace("%", " %")
    if bar:
        full = round(WIDTH * step.share)
        text = f"{step.words}  [{'#' * full}{'-' * (WIDTH - full)}] {step.share:4.0%}".replace("%", " %")
    if step.rows:
        text += f", {step.rows:,} rows"
    if seconds > 0 and step.share > first.share:
        left = round(seconds * (1 - step.share) / (step.share - first.share))
        text += f", {(step.rows - first.rows) / seconds:,.0f} rows/s"
        text += f", {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
    return text


def _redraw(text: str) -> None:
    click.echo(f"\r\x1b[2K{text}", nl=False, err=True)


def _line(text: str) -> None:
    click.echo(f"  {text}", err=True)
