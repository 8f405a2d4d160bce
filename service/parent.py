"""What a worker has of the process that started it: a line to it, on which both notice the end of the other."""

from __future__ import annotations

import json
import socket
from typing import Literal

from service.held_pack import Verified

State = Literal["loaded", "serving"]
START = b"start\n"


class Parent:
    """The worker's end of the line. Saying never waits: a parent that does not listen must not hold up answers."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def await_start(self) -> bool:
        """Wait until the parent says that it is time to answer; False where it has ended instead."""
        self._line.setblocking(True)
        try:
            return self._line.recv(len(START)) != b""
        except OSError:
            return False

    def say(self, state: State, verified: Verified, why: str = "") -> None:
        """Say where this worker is, the pack that it answers from, and why nobody can be answered, if so.

        What the parent cannot take is not said.
        """
        told = {"state": state, "folder": str(verified.folder), "pack": verified.pack_id, "why": why}
        self._line.setblocking(False)
        try:
            self._line.send(json.dumps(told).encode("ascii") + b"\n")
        except OSError:
            return

    def is_gone(self) -> bool:
        """Whether the parent has ended."""
        self._line.setblocking(False)
        try:
            return self._line.recv(len(START)) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
