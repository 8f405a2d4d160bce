"""A worker as the process that started it sees it."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from service import log
from service.held_pack import Verified
from service.parent import START, Parent, State

SIGNALS = (signal.SIGTERM, signal.SIGINT)
FAULT = 1  # exit code
MOST_TOLD = 64 * 1024  # bytes without an end of line


class WorkerProcess:
    """A process that was started.

    ``state`` is None until it has a pack; ``heard`` is when it last said something, in seconds of the monotonic
    clock; ``verified`` is the pack that it answers from, ``why`` is why it can answer nobody, if so.
    """

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.line = line
        self.began = self.heard = time.monotonic()
        self.state: State | None = None
        self.verified: Verified | None = None
        self.why = ""
        self._told = b""

    def hear(self) -> bool:
        """Take in what it says; False where it has ended."""
        try:
            said = self.line.recv(MOST_TOLD)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._told = (self._told + said).split(b"\n")
        self._told = self._told[-MOST_TOLD:]
        for line in lines:
            self._understand(line)
        return said != b""

    def begin(self) -> None:
        """Let it answer."""
        with suppress(OSError):  # it has ended, which is noticed elsewhere
            self.line.send(START)

    def signal(self, number: int) -> None:
        """Send it a signal. It is not reaped yet, so the number is still its own."""
        os.kill(self.pid, number)

    def reap(self) -> int:
        """What a process ended with that says nothing more: its exit code, or minus the signal that killed it."""
        self.line.close()
        self.signal(signal.SIGKILL)  # nothing of it goes on unwatched; one that has ended does not notice
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _understand(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            self.state, self.verified = told["state"], Verified(Path(told["folder"]), told["pack"])
            self.why = told["why"]
        except (ValueError, KeyError, TypeError):
            return  # the rest of a line that was cut
        self.heard = time.monotonic()


def started(work: Callable[[Parent], None], leave: Iterable[socket.socket]) -> WorkerProcess:
    """A new process that does ``work`` and ends; of its exit codes see `SystemExit`.

    It is forked, so that it starts in tenths of a second with the very code and settings of this process, whatever
    has become of them on the disk. This process must have no thread of its own and no event loop.

    Args:
        work: what it does.
        leave: sockets of this process that it must not hold open.
    """
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # memory is shared until one of the two writes to it
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes now is for the right process
    pid = os.fork()
    if pid == 0:
        for each in (ours, *leave):
            each.close()
        _be(work, theirs)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    theirs.close()
    ours.setblocking(False)
    return WorkerProcess(pid, ours)


def _be(work: Callable[[Parent], None], line: socket.socket) -> NoReturn:
    code = FAULT
    try:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        work(Parent(line))
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else FAULT
    except BaseException as error:
        log.write(logging.ERROR, "fault", exception=type(error).__name__, where=log.place(error.__traceback__))
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
