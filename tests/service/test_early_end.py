"""A service that is told to end before it is ready ends with 0, whatever it is doing then."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers import await_ready


@pytest.mark.parametrize(("workers", "seconds"), [("1", 0.0), ("1", 0.4), ("1", 1.5), ("2", 0.0), ("2", 1.5)])
def test_told_to_end_while_it_starts(launcher: Any, pack_folder: Path, workers: str, seconds: float) -> None:
    process, output = launcher.command(pack_folder, "--workers", workers)
    await_ready(lambda: catches(process.pid, signal.SIGTERM), process, output)
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert "Traceback" not in output.read_text("utf-8")
    assert '"level":"error"' not in output.read_text("utf-8")


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)
