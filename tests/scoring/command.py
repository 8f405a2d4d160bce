"""``tregcast score`` in this process, and as one of its own, so that it can be stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from cli import main

ROOT = Path(__file__).parents[2]
KNOWN = {**os.environ, "PYTHONPATH": str(ROOT)}
AS_OF = ("--as-of", "2026-01-01")


def command(*arguments: object) -> list[str]:
    """What is run."""
    return [sys.executable, "-W", "error", "-m", "cli", "score", *map(str, arguments)]


def here(*arguments: object) -> Result:
    """The command in this process, run to its end: all that it goes on with is on the disk."""
    return CliRunner().invoke(main, ["score", *map(str, arguments)], catch_exceptions=False)


def done(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        command(*arguments), env=KNOWN, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


def interrupted(
    arguments: list[object], sent: signal.Signals, when: Callable[[], bool], after: float = 0.0
) -> subprocess.CompletedProcess[str]:
    """The command, to which a signal is sent some seconds after something is so (or at its end)."""
    process = subprocess.Popen(
        command(*arguments), env=KNOWN, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not when():
        time.sleep(0.002)
    time.sleep(after)
    process.send_signal(sent)
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
