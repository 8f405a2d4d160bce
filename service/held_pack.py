"""The pack that a worker answers from, and how another one takes its place while requests are answered."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import Generic, Literal, TypeVar

from model.pack import Pack, RefusalCode, Refused, load_pack, verify_files
from model.pack_report import read_report, report_path
from service import log
from service.pack_access import refuse_writable

EVERY_SECONDS = 0.25  # between two looks at the path; a look is a dozen stats
MOST_FILES = 64  # looked at; a pack has fewer, and a folder with more is none
SECONDS_TO_STOP = 2

Made = TypeVar("Made")
# Why what the path stands for is not served: `Refused.code`, nothing is there, or a fault of ours.
SwapProblem = RefusalCode | Literal["not_found", "fault"]


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Made]):
    """A verified pack, what the application has made of it, once, and the HTML of its report, if that is there."""

    pack: Pack
    made: Made
    report: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A folder, no link, that held the pack of this id when it was verified."""

    folder: Path
    pack_id: str


class HeldPack(Generic[Made]):
    """A pack in use. A request reads `current` once and uses what it got to its end.

    ``current`` is replaced by one assignment, when the path stands for another pack and that one has been loaded
    beside it, its golden answers replayed and ``make`` called. The pack before stays in memory, so that going back
    to it takes no loading. What is refused leaves ``current`` as it is: ``problem`` then holds why, as a code,
    until the path stands for something else. ``verified`` is where the pack in use was last found.

    Args:
        path: a pack folder or a link to one, which may be pointed elsewhere at any time.
        make: what the application makes of a pack, once; it runs in the thread that watches.
        pack_id: the id that the pack must have. Where it is given, the pack is never swapped.
        last: the pack to begin with where the path's is refused. For who takes another's place, not for a start.
        role: what the pack is to whoever holds it, as the log calls it.

    Raises:
        Refused: the first pack is refused.
    """

    def __init__(
        self,
        path: Path,
        make: Callable[[Pack], Made],
        *,
        pack_id: str | None = None,
        last: Verified | None = None,
        role: str = "pack",
    ) -> None:
        self.problem: SwapProblem | None = None
        self._path, self._make, self._pinned, self._role = path, make, pack_id is not None, role
        self._seen = _standing(path)  # before it is read: what changes meanwhile is seen by the next look
        self.current: Loaded[Made]
        self.verified: Verified
        self._begin(Path(os.path.realpath(path)), pack_id, last)
        self._before: Loaded[Made] | None = None
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to watch the path, in a thread; nothing is watched where the pack's id is given."""
        if not self._pinned and self._thread is None:
            self._stop.clear()
            self._thread = Thread(target=self._watch, name="held-pack", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the watching; a pack that is being loaded at this moment is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(SECONDS_TO_STOP)
            self._thread = None

    def look(self) -> None:
        """Serve what the path stands for now, if that is new and verified. The watching thread calls it."""
        seen = _standing(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        if seen is None:
            self._refuse("not_found")
            return
        try:
            loaded = self._held(seen.folder) or self._load(seen.folder)
        except Refused as error:
            self._refuse(error.code)
        except Exception as error:  # whatever it is, the pack in use goes on
            where = log.place(error.__traceback__)
            self._refuse("fault", exception=type(error).__name__, where=where)
        else:
            self._serve(loaded)
            self.verified = Verified(seen.folder, loaded.pack.id)

    def _begin(self, folder: Path, pack_id: str | None, last: Verified | None) -> None:
        try:
            self.current = self._load(folder, pack_id)
        except Refused as error:
            if last is None:
                raise
            folder = last.folder
            self.current = self._load(folder, last.pack_id)
            self._refuse(error.code if self._seen else "not_found")
        self.verified = Verified(folder, self.current.pack.id)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.look()

    def _held(self, folder: Path) -> Loaded[Made] | None:
        """The pack of this folder if it is in memory; the folder is verified all the same, for the next start."""
        refuse_writable(folder)
        pack_id = verify_files(folder)
        found = next((held for held in (self.current, self._before) if held and held.pack.id == pack_id), None)
        if found is None:
            return None
        report = read_report(folder, pack_id)
        return found if report == found.report else replace(found, report=report)

    def _load(self, folder: Path, pack_id: str | None = None) -> Loaded[Made]:
        refuse_writable(folder)
        pack = load_pack(folder, expected_id=pack_id)
        return Loaded(pack, self._make(pack), read_report(folder, pack.id))

    def _serve(self, loaded: Loaded[Made]) -> None:
        self.problem = None
        if loaded.pack is self.current.pack:
            self.current = loaded  # its report may be another
            log.write(logging.INFO, f"{self._role} kept", pack=loaded.pack.id)
            return
        self._before, self.current = self.current, loaded
        log.write(logging.INFO, f"{self._role} swapped", pack=loaded.pack.id)

    def _refuse(self, problem: SwapProblem, **fields: log.Field) -> None:
        self.problem = problem
        log.write(logging.ERROR, f"{self._role} refused", pack=self.current.pack.id, problem=problem, **fields)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a path stands for: the folder and its mode, and of each file name, inode, size and time of last change.

    The report beside the folder is one of the files.
    """

    folder: Path
    mode: int
    files: tuple[tuple[str, int, int, int], ...]


def _standing(path: Path) -> _Standing | None:
    """What the path stands for now; None where that is no folder that can be read."""
    folder = Path(os.path.realpath(path))
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in islice(entries, MOST_FILES)]
        mode = folder.stat().st_mode  # of the folder its other times say nothing
    except OSError:
        return None
    with suppress(OSError):
        found.append((report_path(folder).name, report_path(folder).lstat()))
    # The time of change, not of modification: copying tools set the latter back.
    files = sorted((name, at.st_ino, at.st_size, at.st_ctime_ns) for name, at in found)
    return _Standing(folder, mode, tuple(files))
