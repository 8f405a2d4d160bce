"""The process of ``tregcast pull --watch``: its signals, its webhook listener, and its end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

import click

from commands.options import Fault

if TYPE_CHECKING:
    from training.follower import Follower
    from training.webhook import WebhookListener

SECONDS_TO_NOTICE = 0.2  # that a signal has come
SECONDS_TO_FINISH = 1.0  # what is being fetched, after SIGTERM; it is left then
LEAST_SECONDS, MOST_SECONDS = 0.1, 86_400.0  # between two looks
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(_: object, __: object, value: str) -> float:
    """A number with a unit (``500ms``, ``30s``, ``5m``, ``1h``) as seconds: the callback of an option.

    >>> seconds(None, None, "30s"), seconds(None, None, "5m")
    (30.0, 300.0)
    """
    found = re.fullmatch(r"([0-9]{1,6})(ms|s|m|h)", value)
    number = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not LEAST_SECONDS <= number <= MOST_SECONDS:
        raise click.BadParameter(f"{value} is not a time of 100ms to 24h; give one such as 30s or 5m")
    return number


def address(_: object, __: object, value: str | None) -> tuple[str, int] | None:
    """``HOST:PORT`` or ``[HOST]:PORT`` as host and port: the callback of an option.

    >>> address(None, None, "127.0.0.1:8080"), address(None, None, "[::1]:8080")
    (('127.0.0.1', 8080), ('::1', 8080))
    """
    if value is None:
        return None
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/@]+)):([0-9]{1,5})", value)
    if found is None or int(found[3]) > 65535:
        raise click.BadParameter(f"{value} is not HOST:PORT; give one such as 127.0.0.1:8080")
    return found[1] or found[2], int(found[3])


@dataclass(frozen=True, slots=True)
class Watch:
    """How ``pull --watch`` goes on: seconds between looks, packs kept, where webhooks arrive and their secret."""

    every: float
    keep: int
    webhook: tuple[str, int] | None = None
    webhook_secret: Path | None = None


def follow(reference: str, uri: str | None, watch: Watch) -> None:
    """Keep the link of a reference in step with the registry until SIGTERM or SIGINT.

    Raises:
        Fault: the reference has no alias, the secret cannot be used, or the address cannot be listened on.
    """
    from training.follower import Follower
    from training.registry import PACKS, RegistryError

    woken, ended = Event(), Event()
    try:
        follower = Follower(reference, uri, PACKS, keep=watch.keep, tell=click.echo)
    except RegistryError as error:
        raise Fault(str(error)) from error
    listener = _listener(watch, woken)
    looking = _Looking(follower, watch.every, woken, ended)
    told = _signals()
    if listener is not None:
        listener.start()
        click.echo(f"Webhooks of MLflow wake it at http://{listener.address}")
    looking.start()
    while looking.is_alive() and not told:
        looking.join(SECONDS_TO_NOTICE)
    ended.set()
    woken.set()
    looking.join(SECONDS_TO_FINISH)
    if looking.is_alive():
        _leave()
    if looking.fault is not None:
        raise looking.fault


def _signals() -> list[int]:
    """The signals to end that have come, from now on. A list, because a handler must not wait for a lock."""
    told: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return told


class _Looking(Thread):
    """Looks in a thread, because a question to the registry may take longer than a process has to end."""

    def __init__(self, follower: Follower, every: float, woken: Event, ended: Event) -> None:
        super().__init__(name="follower", daemon=True)
        self._follower, self._every, self._woken, self._ended = follower, every, woken, ended
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self._follower.run(self._every, self._woken, self._ended)
        except BaseException as error:  # raised by the main thread
            self.fault = error


def _listener(watch: Watch, woken: Event) -> WebhookListener | None:
    if watch.webhook is None:
        return None
    from training.webhook import SecretError, WebhookListener, read_secret

    assert watch.webhook_secret is not None
    host, port = watch.webhook
    try:
        return WebhookListener(host, port, read_secret(watch.webhook_secret), woken.set)
    except SecretError as error:
        raise Fault(f"--webhook-secret {error}") from error
    except OSError as error:
        raise Fault(f"--webhook: cannot listen on {host} port {port}: {error.strerror or error}") from error


def _leave() -> None:
    """End at once, though MLflow is being waited for; its threads would keep the process for minutes."""
    from training.registry import PACKS, SCRATCH

    with suppress(OSError):
        for path in PACKS.glob(f"{SCRATCH}{os.getpid()}-*"):
            shutil.rmtree(path, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
