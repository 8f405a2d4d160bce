"""Ctrl-C, remembered: where a library swallows it, the search ends after the trial at hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Keyboard:
    """Whether somebody wants the search to end."""

    def __init__(self) -> None:
        self.pressed = False

    def require_silence(self) -> None:
        """Go on only if nobody has pressed Ctrl-C.

        Raises:
            KeyboardInterrupt: somebody has, and it did not end the search at once.
        """
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def remembered() -> Iterator[Keyboard]:
    """Interrupts of this block. Another thread than the main one gets none, and nothing is changed there."""
    keyboard = Keyboard()
    if threading.current_thread() is not threading.main_thread():
        yield keyboard
        return

    def note(number: int, frame: FrameType | None) -> None:
        keyboard.pressed = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield keyboard
    finally:
        signal.signal(signal.SIGINT, before)
