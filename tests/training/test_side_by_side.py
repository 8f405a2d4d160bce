"""Long computations side by side: the same answers in the same order, and no process that outlives its purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from commands.options import default_workers
from training.side_by_side import WorkerLost, side_by_side

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
FOR_EVER = 600.0


def squared(number: int, folder: Path) -> tuple[int, int]:
    (folder / str(number)).touch()
    if number == 0:  # the first is not ready before the last
        _until((folder / "5").exists)
    return number**2, os.getpid()


def refused(number: int) -> int:
    if number == 1:
        raise ValueError("1 is refused")
    time.sleep(FOR_EVER)
    return number


def killed(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(FOR_EVER)
    return number


def noted(number: int, folder: Path) -> int:
    (folder / f"{os.getpid()}").touch()
    time.sleep(FOR_EVER)
    return number


def test_answers_come_in_the_order_of_what_was_given_from_other_processes(tmp_path: Path) -> None:
    found = list(side_by_side(partial(squared, folder=tmp_path), range(6), workers=2))
    assert [square for square, _ in found] == [0, 1, 4, 9, 16, 25]
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_one_worker_is_this_process_and_computes_when_asked(tmp_path: Path) -> None:
    asked = side_by_side(partial(squared, folder=tmp_path), iter([3, 4]), workers=1)
    assert next(asked) == (9, os.getpid())
    assert not (tmp_path / "4").exists()
    assert list(asked) == [(16, os.getpid())]


def test_a_fault_is_that_of_the_computation_and_the_rest_is_given_up() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="1 is refused"):
        list(side_by_side(refused, [1, 2, 3, 4], workers=2))
    assert time.monotonic() - began < SECONDS


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_that_is_ended_from_outside_is_told_and_not_waited_for() -> None:
    with pytest.raises(WorkerLost, match="memory is short; fewer workers need less of it"):
        list(side_by_side(killed, [1, 2, 3], workers=2))


def test_what_is_no_longer_wanted_is_given_up(tmp_path: Path) -> None:
    asked = side_by_side(partial(_first_then_for_ever, folder=tmp_path), [0, 1, 2], workers=2)
    assert next(asked) == 0
    asked.close()
    assert _ended(tmp_path, least=1)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_one_that_asked(how: signal.Signals, tmp_path: Path) -> None:
    said = (
        "from functools import partial; from pathlib import Path; from training.side_by_side import side_by_side; "
        "from tests.training.test_side_by_side import noted; "
        f"list(side_by_side(partial(noted, folder=Path({str(tmp_path)!r})), range(4), workers=2))"
    )
    parent = subprocess.Popen([sys.executable, "-c", said], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        _until(lambda: len(list(tmp_path.iterdir())) == 2)
        parent.send_signal(how)
        assert parent.wait(SECONDS) != 0
        assert _ended(tmp_path, least=2)
    finally:
        parent.kill()
        parent.communicate()


def test_by_default_there_are_no_more_than_cores_and_two() -> None:
    assert 1 <= default_workers() <= min(2, os.cpu_count() or 1)


def _first_then_for_ever(number: int, folder: Path) -> int:
    if number > 0:
        return noted(number, folder)
    _until(lambda: any(folder.iterdir()))
    return number


def _ended(folder: Path, least: int) -> bool:
    """Whether all processes that left their number in a folder end, and so many did."""
    _until(lambda: not any(psutil.pid_exists(int(file.name)) for file in folder.iterdir()))
    return len(list(folder.iterdir())) >= least


def _until(holds: Callable[[], bool]) -> None:
    last = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < last, "it took too long"
        time.sleep(0.05)
