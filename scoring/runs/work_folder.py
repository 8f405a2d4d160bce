"""The folder of a run beside its output: whose it is, its plan, its parts, and how it goes away."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from scoring.fault import ScoringFault
from scoring.results.placed import sync
from scoring.runs.parts import Parts
from scoring.runs.plan import Course, Plan, read_plan, write_plan

LOCK, PLAN, SHARED_OUT, PLACING = "lock", "plan.json", "shared-out", "placing"


class WorkFolder:
    """Held by one run at a time, for as long as its process lives."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f".{out.name}.parts")
        self._lock: BinaryIO | None = None

    @property
    def parts(self) -> Parts:
        """The finished parts."""
        return Parts(self.path)

    def hold(self) -> None:
        """Make the folder if there is none, and hold it.

        Raises:
            ScoringFault: another run holds it.
        """
        while self._lock is None:
            self.path.mkdir(exist_ok=True)
            try:
                lock = (self.path / LOCK).open("ab")
            except FileNotFoundError:  # a run that ended took the folder away just now
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                raise ScoringFault(f"{self.path}: another run writes this output now; wait for it to end") from None
            self._lock = lock if self._is_still(lock) else None

    def plan(self) -> tuple[Plan, Course] | None:
        """The plan of a run that was left unfinished; None where there is none."""
        path = self.path / PLAN
        return read_plan(path) if path.exists() else None

    def begin(self, plan: Plan, course: Course) -> None:
        """Write down what the run is."""
        self._write(PLAN, write_plan(plan, course))

    def mark(self, name: str, content: bytes = b"") -> None:
        """Note that a step is done."""
        self._write(name, content)

    def marked(self, name: str) -> bytes | None:
        """What was noted of a step; None where it is not done."""
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def empty(self) -> None:
        """Remove all but the lock; the plan first."""
        for path in sorted(self.path.iterdir(), key=lambda path: path.name != PLAN):
            if path.name != LOCK:
                path.unlink()

    def remove(self) -> None:
        """Take the folder away at once, then what is in it."""
        aside = self.path.with_name(f"{self.path.name}.done")
        shutil.rmtree(aside, ignore_errors=True)
        self.path.replace(aside)
        sync(aside.parent)
        shutil.rmtree(aside)
        self.release()

    def release(self) -> None:
        """Let another run have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _is_still(self, lock: BinaryIO) -> bool:
        try:
            found = (self.path / LOCK).stat()
        except FileNotFoundError:
            found = None
        held = os.fstat(lock.fileno())
        if found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
            return True
        lock.close()
        return False

    def _write(self, name: str, content: bytes) -> None:
        unfinished = self.path / f"{name}.unfinished"
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / name)
        sync(self.path)
