"""Several workers under one process, which answers nothing itself: it starts them, watches them and ends them.

uvicorn's own supervisor is not used: it ends all of them where one cannot be started again, starts again without a
pause, and its workers outlive it where it is killed.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from service import log
from service.audit.known_head import KnownHead
from service.bento import REFUSED, UNUSABLE, end
from service.configuration import Configuration
from service.held_pack import Verified
from service.listener import Announcement
from service.parent import Parent, State
from service.tls import Tls
from service.worker import CANNOT_LISTEN, SECONDS_TO_FINISH, answer
from service.worker_process import SIGNALS, WorkerProcess, started

SECONDS_TO_LOAD = 60  # after which one that has no pack is killed
SECONDS_OF_SILENCE = 30  # after which one that served is killed: it says something every second
SECONDS_TO_CLOSE = 5  # after `SECONDS_TO_FINISH`: what waits for the audit trail, and the rest
SECONDS_OF_GOOD_SERVICE = 10  # after which earlier ends of a worker are forgotten
LONGEST_PAUSE = 30  # s, before a worker that ends again and again is started once more
EVERY_SECONDS = 0.5


@dataclass(slots=True)
class _Place:
    """Where one worker after another answers: its number and its admin port."""

    number: int
    admin: socket.socket
    worker: WorkerProcess | None = None
    ended: int = 0  # how many have, one soon after the other
    due: float = 0.0  # when the next is started


class Workers:
    """Answers with several processes until SIGTERM or SIGINT.

    A worker that ends is replaced. A replacement begins with the pack that the path stands for, as every start
    does; where that one is refused, with the pack that a worker last said it serves.

    Args:
        configuration: of the service.
        listener: bound to the service's address; all workers accept from it.
        admin: bound to the admin ports, one a worker.
        tls: where the service speaks it.
    """

    def __init__(
        self,
        configuration: Configuration,
        listener: socket.socket,
        admin: Sequence[socket.socket],
        tls: Tls | None = None,
    ) -> None:
        self._configuration = configuration
        self._tls = tls
        self._listener = listener
        self._places = [_Place(number, each) for number, each in enumerate(admin, 1)]
        self._announcement = Announcement(listener, admin, has_certificate=tls is not None)
        self._head = KnownHead()  # shared by all workers, also those that take another's place
        self._selector = selectors.DefaultSelector()
        self._told: list[int] = []  # signals
        self._last: Verified | None = None  # that a worker served

    def run(self) -> None:
        """Start, serve, and end.

        Raises:
            SystemExit: 1, 2 or 3 where a worker does not start at first; see `answer`.
        """
        log.configure()
        with self._signals():
            self._start_all()
            while not self._told:
                self._turn()
            self._end_all()

    def _start_all(self) -> None:
        """The first alone, so that why it does not start is said once; then the others; then all begin together."""
        self._start(self._places[0])
        self._await_all("loaded", self._places[:1])
        for place in self._places[1:]:
            self._start(place)
        self._await_all("loaded", self._places)
        for worker in self._running():
            worker.begin()
        self._await_all("serving", self._places)
        if not self._told:
            self._announce()

    def _await_all(self, state: State, places: Sequence[_Place]) -> None:
        while not self._told and any(place.worker is None or place.worker.state != state for place in places):
            self._listen()
            for place in self._silent():
                self._give_up(self._reaped(place))
            self._kill_overdue()

    def _give_up(self, code: int) -> None:
        for place in self._places:
            if place.worker is not None:
                self._reaped(place)
        if code in (CANNOT_LISTEN, UNUSABLE, REFUSED):
            raise SystemExit(code)  # it has said why
        end(CANNOT_LISTEN, f"a worker ended with {code} before it was ready")

    def _turn(self) -> None:
        self._listen()
        self._announce()
        for place in self._silent():
            self._lost(place)
        self._kill_overdue()
        for place in self._places:
            if place.worker is None and place.due <= time.monotonic():
                self._start(place, self._last)
            elif place.worker is not None and place.worker.state == "loaded":
                place.worker.begin()

    def _listen(self) -> None:
        """Hear what workers say, until something is said or a moment has passed."""
        for key, _ in self._selector.select(EVERY_SECONDS):
            key.data()
        for worker in self._running():
            if worker.state == "serving":
                self._last = worker.verified

    def _announce(self) -> None:
        """Say why nobody can be answered, where some worker says so."""
        self._announcement.say(next((worker.why for worker in self._running() if worker.why), ""))

    def _silent(self) -> list[_Place]:
        """Those whose worker has ended."""
        return [place for place in self._places if place.worker is not None and not place.worker.hear()]

    def _lost(self, place: _Place) -> None:
        assert place.worker is not None
        served = place.worker.state == "serving"
        if served and time.monotonic() - place.worker.began > SECONDS_OF_GOOD_SERVICE:
            place.ended = 0
        pause = min(2**place.ended - 1, LONGEST_PAUSE)
        place.ended += 1
        place.due = time.monotonic() + pause
        event = "worker lost" if served else "worker not started"
        log.write(logging.ERROR, event, worker=place.number, exit=self._reaped(place), pause_s=pause)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for place in self._places:
            worker = place.worker
            if worker is None:
                continue
            late = now - worker.began > SECONDS_TO_LOAD if worker.state is None else False
            if late or (worker.state == "serving" and now - worker.heard > SECONDS_OF_SILENCE):
                log.write(logging.ERROR, "worker hangs", worker=place.number)
                worker.signal(signal.SIGKILL)

    def _start(self, place: _Place, last: Verified | None = None) -> None:
        others = [each.admin for each in self._places if each is not place]
        lines = [worker.line for worker in self._running()]

        def work(parent: Parent) -> None:
            answer(self._configuration, self._listener, place.admin, parent, last, self._head, self._tls)

        place.worker = started(work, [*others, *lines])
        self._selector.register(place.worker.line, selectors.EVENT_READ, place.worker.hear)

    def _reaped(self, place: _Place) -> int:
        assert place.worker is not None
        worker, place.worker = place.worker, None
        self._selector.unregister(worker.line)
        return worker.reap()

    def _running(self) -> list[WorkerProcess]:
        return [place.worker for place in self._places if place.worker is not None]

    def _end_all(self) -> None:
        """Let all finish what is in flight, and kill those that do not end."""
        self._listener.close()  # theirs are the last; who connects from now on is refused, not kept waiting
        for worker in self._running():
            worker.signal(signal.SIGTERM)
        until = time.monotonic() + SECONDS_TO_FINISH + SECONDS_TO_CLOSE
        while self._running() and time.monotonic() < until:
            self._listen()
            for place in self._silent():
                self._reaped(place)
        for place in self._places:
            if place.worker is not None:
                log.write(logging.ERROR, "worker hangs", worker=place.number)
                self._reaped(place)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note signals, and let them end a wait. A list, because a handler must not wait for a lock."""
        heard, waking = socket.socketpair()
        heard.setblocking(False)
        waking.setblocking(False)

        def note(number: int, _: FrameType | None) -> None:
            self._told.append(number)

        self._selector.register(heard, selectors.EVENT_READ, _emptied(heard))
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, note)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            heard.close()
            waking.close()


def _emptied(heard: socket.socket) -> Callable[[], object]:
    return lambda: heard.recv(4096)
