"""How far a run is: told to whoever asks, in counts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done, the share of it that is done, and the rows that it was done for."""

    words: str
    share: float  # 0 to 1
    rows: int


Progress = Callable[[Step], None]


def silent(step: Step, /) -> None:
    """Say nothing."""
    del step
