"""Where the result appears: made in a folder beside OUT, and renamed when all of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scoring.spark.stopped import Stopped

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SUMMARY = "summary.json"
# Stores of files where a folder is renamed in one step; object stores copy file by file.
ATOMIC = ("file", "hdfs", "viewfs", "abfs", "abfss")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in the making, and the one that it becomes."""

    session: SparkSession
    out: str
    work: str
    overwrite: bool

    def finish(self, summary: bytes) -> None:
        """Put the result in place, its summary last where the store cannot rename in one step.

        Raises:
            Stopped: another run was there first, or the store refuses.
        """
        files, out, work = self._files(), self._path(self.out), self._path(self.work)
        atomic = files.getScheme() in ATOMIC
        if atomic:
            self._write(f"{self.work}/{SUMMARY}", summary)
        old = self._path(f"{self.work}.replaced")
        if files.exists(out):
            if not self.overwrite:
                raise _there(self.out)
            if not files.rename(out, old):
                raise _unplaced(self.out)
        if not files.rename(work, out):
            files.rename(old, out)  # what was there is there again
            raise _unplaced(self.out)
        inside = self._path(f"{self.out}/{self.work.rpartition('/')[2]}")
        if files.exists(inside):  # a folder that came to be meanwhile is moved into, not replaced
            files.delete(inside, True)
            raise _there(self.out)
        if not atomic:
            self._write(f"{self.out}/{SUMMARY}", summary)
        files.delete(old, True)

    def discard(self, part: str = "") -> None:
        """Remove the folder in the making, or a part of it."""
        self._files().delete(self._path(f"{self.work}/{part}" if part else self.work), True)

    def _write(self, path: str, data: bytes) -> None:
        stream = self._files().create(self._path(path), False)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()

    def _files(self) -> Any:
        context: Any = self.session.sparkContext
        return self._path(self.out).getFileSystem(context._jsc.hadoopConfiguration())

    def _path(self, path: str) -> Any:
        machine: Any = self.session.sparkContext._jvm
        return machine.org.apache.hadoop.fs.Path(path)


@contextmanager
def making(session: SparkSession, out: str, *, overwrite: bool) -> Iterator[Place]:
    """A place for the result of a run; nothing is left of it when the run fails.

    Raises:
        Stopped: OUT is there already, and is not to be replaced.
    """
    out = out.rstrip("/")
    folder, slash, name = out.rpartition("/")
    place = Place(session, out, f"{folder}{slash}.{name}.{uuid4().hex[:12]}", overwrite)
    local = Path(out.removeprefix("file://"))
    if place._files().getScheme() == "file" and local.is_symlink():
        raise Stopped(f"{out} is a symbolic link; name the folder itself")
    if place._files().exists(place._path(out)) and not overwrite:
        raise _there(out)
    try:
        yield place
    finally:
        place.discard()


def _there(out: str) -> Stopped:
    return Stopped(f"{out} is there already; name another, or say --overwrite")


def _unplaced(out: str) -> Stopped:
    return Stopped(f"{out} cannot be put in place; look whether its folder may be written to")
