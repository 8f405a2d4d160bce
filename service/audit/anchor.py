"""The anchor: a small file beside the store that says where the chain ends, so that a cut-off end is found."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.audit.chain import Head
from service.audit.store import StoreFailed

_LINE = re.compile(rb"tregcast-audit-head ([0-9a-f]{64}) ([0-9]{20}) ([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an anchor says: the id of the store, and the head that its chain had at least."""

    store_id: str
    head: Head

    def line(self) -> bytes:
        """The 171 bytes of the file; always as many, so that one write in place replaces all of them."""
        return f"tregcast-audit-head {self.store_id} {self.head.seq:020d} {self.head.hash}\n".encode("ascii")


def read_anchor(path: Path) -> Anchored | None:
    """What an anchor says; None where there is no such file.

    Raises:
        StoreFailed: it cannot be read, or is no anchor.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        return parse_anchored(path, os.pread(file, 256, 0))
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        os.close(file)


class Anchor:
    """The anchor of a store that is written. Who writes the store holds the lock of this file.

    So no two processes of ours commit or checkpoint a SQLite store at once, which in SQLite 3.7.0 to 3.51.2 could
    spoil it, seldom (https://www.sqlite.org/wal.html#walresetbug), and none of them has to poll for its turn.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[HeldAnchor]:
        """Have the anchor for oneself: other processes of this machine wait, in the order in which they came.

        Raises:
            StoreFailed: it cannot be read or written, or is no anchor.
        """
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(self._path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield HeldAnchor(self._path, file)
        except OSError as error:
            raise _failed(self._path, error) from error
        finally:
            os.close(file)


class HeldAnchor:
    """An anchor whose lock is held; ``said`` is None where it is new."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self.said = parse_anchored(path, os.pread(file, 256, 0))

    def write(self, store_id: str, head: Head) -> None:
        """Say this head from now on. One write within one sector, without waiting for the disk.

        After a power failure the anchor may be some commits behind the store, never before it.
        """
        line = Anchored(store_id, head).line()
        if os.pwrite(self._file, line, 0) != len(line):
            raise OSError("short write")
        if self.said is None:
            os.fsync(self._file)


def parse_anchored(path: Path | str, line: bytes) -> Anchored | None:
    """What a line says; None where it is empty.

    Raises:
        StoreFailed: it is no anchor.
    """
    if not line:
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise StoreFailed("NO_ANCHOR", f"{path}: is no anchor; restore it, or remove it to have it made anew")
    return Anchored(found[1].decode(), Head(int(found[2]), found[3].decode()))


def _failed(path: Path, error: OSError) -> StoreFailed:
    return StoreFailed(type(error).__name__, f"{path}: {error.strerror or error}")
