"""How a long step says how far it is: a function that is given one line of text."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(text: str, /) -> None:
    """Say nothing."""
    del text
