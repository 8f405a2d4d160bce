"""One searcher a study: a sign of life in the study itself, so that it holds across machines too."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from training.progress import Progress, silent
from training.tracking import StoreError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

BEAT_SECONDS = 2.0
DEAD_AFTER_SECONDS = 8.0  # without a beat
ALIVE = "alive"
MARK = " beat "


class StudyBusy(StoreError):
    """Another process searches this study."""


class Lease:
    """Held while a process searches a study; one that was killed loses it when its beat has stopped.

    Beats are compared with each other and never with a clock, so machines need not agree on the time. Of two that
    start at once the later one has the lease, and the other finds out before it tells a result.
    """

    def __init__(self, study: Study, storage: RDBStorage, progress: Progress = silent) -> None:
        self._study, self._storage, self._progress = study, storage, progress
        self._own = uuid4().hex
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="study lease", daemon=True)

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            StudyBusy: the holder lives.
        """
        found = self._read()
        if found:
            self._progress(
                f"the last search did not end in order; waiting {DEAD_AFTER_SECONDS:g} s for a sign of it"
            )
            self._wait_for_silence(found)
        self._study.set_user_attr(ALIVE, f"{self._own}{MARK}0")
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._ended.set()
        self._beating.join()
        if self._read().startswith(self._own):
            self._study.set_user_attr(ALIVE, "")

    def require(self) -> None:
        """Nothing, while it is held.

        Raises:
            StudyBusy: another process has taken it.
        """
        if not self._read().startswith(self._own):
            raise self._busy()

    def _wait_for_silence(self, found: str) -> None:
        until = time.monotonic() + DEAD_AFTER_SECONDS
        while time.monotonic() < until:
            time.sleep(BEAT_SECONDS / 4)
            now = self._read()
            if now == "":
                return
            if now != found:
                raise self._busy()

    def _busy(self) -> StudyBusy:
        return StudyBusy(
            f"study {self._study.study_name} is being searched by another process; wait for it, or give --name"
        )

    def _read(self) -> str:
        return str(self._study.user_attrs.get(ALIVE, ""))

    def _beat(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        count = 0
        while not self._ended.wait(BEAT_SECONDS):
            count += 1
            try:
                if not self._read().startswith(self._own):
                    break
                self._study.set_user_attr(ALIVE, f"{self._own}{MARK}{count}")
            except (SQLAlchemyError, RuntimeError):  # a busy database: the next beat will do
                continue
        self._storage.remove_session()
