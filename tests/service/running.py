"""A service that ``tregcast serve`` has begun, of one worker or several: where it answers and what it wrote."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Running:
    """Its address, the admin ports of its workers, and all that it writes in ``output``."""

    url: str
    admin: list[str]
    process: subprocess.Popen[bytes]
    output: Path

    def log(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of this event."""
        lines = [line for line in self.output.read_text("utf-8").splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def begin(launcher: Any, pack: Path, *options: str, **settings: str) -> Running:
    """Begin one, ended by the launcher; it is there when it is ready."""
    process, output = launcher.command(pack, *options, **settings)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    pages = launcher.await_line(process, output, "Tregcast's pages are on ").split()[4:]
    return Running(url, pages, process, output)
