"""``tregcast pull --watch`` as a process, beside a real ``mlflow server``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from mlflow import MlflowClient

from tests.servers import free_port, mlflow_server, running
from tests.training.deliveries import SECRET, delivery
from tests.training.small_registry import REFERENCE, SmallRegistry
from training import webhook

ROOT = Path(__file__).parents[2]
SECONDS_TO_END = 2.0
# MLflow sends webhooks to https and public addresses alone unless it is told otherwise.
WEBHOOKS = {
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
}


@dataclass(frozen=True)
class Watcher:
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines()

    def await_line(self, words: str, seconds: float = 30) -> str:
        await_true(lambda: any(words in line for line in self.lines()), seconds, self.lines)
        return next(line for line in self.lines() if words in line)

    def end(self) -> float:
        """SIGTERM; the seconds until it had ended."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0
        return time.monotonic() - started


def await_true(true: Callable[[], bool], seconds: float, said: Callable[[], object]) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, said()
        time.sleep(0.02)
    return time.monotonic() - started


@contextmanager
def watching(folder: Path, uri: str, *more: object) -> Iterator[Watcher]:
    command = [sys.executable, "-m", "cli", "pull", REFERENCE, "--watch", "--tracking-uri", uri, *more]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TREGCAST_"))}
    log = folder / "watcher"
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    with running(command, log, signal.SIGTERM, env=environment, cwd=folder) as process:
        yield Watcher(process, log)


@pytest.mark.slow
def test_the_link_follows_and_outlives_the_server(registry: SmallRegistry, tmp_path: Path) -> None:
    port = free_port()
    first = registry.alias("1")
    uri = f"http://127.0.0.1:{port}"
    with watching(tmp_path, uri, "--every", "200ms") as watcher:
        assert watcher.await_line("Connection refused").endswith("; there is no pack yet")
        with mlflow_server(registry.uri, tmp_path, port):
            watcher.await_line(f"is version 1, pack {first}")
            second = registry.alias("2", uri)
            await_true(lambda: registry.linked() == second, 10, watcher.lines)
        watcher.await_line(f"Connection refused; the link stays at pack {second}")
        assert registry.linked() == second
        registry.alias("1")  # in the database, while nobody says so
        with mlflow_server(registry.uri, tmp_path, port):
            await_true(lambda: registry.linked() == first, 10, watcher.lines)
        assert watcher.end() < SECONDS_TO_END
    told = [line.removeprefix(REFERENCE) for line in watcher.lines()]
    assert [line for line in told if " is version" in line] == [
        f" is version 1, pack {first}",
        f" is version 2, pack {second}",
        f" is version 1, pack {first}",
    ]
    assert len(told) < 10  # of some hundred looks


@pytest.mark.slow
def test_a_signed_webhook_of_mlflow_wakes_it_at_once(registry: SmallRegistry, tmp_path: Path) -> None:
    first = registry.alias("1")
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n", "utf-8")
    listening = ("--every", "1h", "--webhook", "127.0.0.1:0", "--webhook-secret", secret)
    with (
        mlflow_server(registry.uri, tmp_path, **WEBHOOKS) as uri,
        watching(tmp_path, uri, *listening) as watcher,
    ):
        address = watcher.await_line("Webhooks of MLflow wake it at").split()[-1]
        watcher.await_line(f"is version 1, pack {first}")
        second = registry.alias("2")  # in the database: nobody is told

        wrong = delivery(secret="another-secret-of-another", at=int(time.time()))
        headers = {
            webhook.DELIVERY: wrong.id,
            webhook.TIMESTAMP: wrong.timestamp,
            webhook.SIGNATURE: wrong.signature,
        }
        assert httpx.post(address, content=wrong.body, headers=headers, trust_env=False).status_code == 401
        time.sleep(1)
        assert registry.linked() == first

        client = MlflowClient(uri, uri)
        client.create_webhook("tregcast", address, ["model_version_alias.created"], secret=SECRET)
        registry.alias("2", uri)
        await_true(lambda: registry.linked() == second, 10, watcher.lines)
        registry.alias("1", uri)
        await_true(lambda: registry.linked() == first, 10, watcher.lines)
        assert watcher.end() < SECONDS_TO_END
        client.delete_webhook(client.list_webhooks()[0].webhook_id)
    assert SECRET not in watcher.log.read_text("utf-8")


def test_it_ends_within_two_seconds_though_the_registry_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with watching(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}") as watcher:
            connection, _ = silent.accept()
            assert watcher.end() < SECONDS_TO_END
            connection.close()
        assert watcher.lines() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models:/als-progression/1", "--watch"], "only an alias can be followed"),
        (["--every", "5s"], "--every without --watch, which it is for; give --watch too"),
        (["--keep", "4", "--webhook", "127.0.0.1:0"], "--keep, --webhook without --watch"),
        (["--watch", "--every", "5"], "5 is not a time of 100ms to 24h; give one such as 30s or 5m"),
        (["--watch", "--every", "0s"], "0s is not a time of 100ms to 24h"),
        (["--watch", "--keep", "2"], "2 is not in the range x>=3"),
        (["--watch", "--webhook", "127.0.0.1:0"], "--webhook and --webhook-secret need each other"),
        (["--watch", "--webhook", "127.0.0.1"], "127.0.0.1 is not HOST:PORT"),
        (["--watch", "--webhook", "h:65536"], "h:65536 is not HOST:PORT"),
    ],
)
def test_what_cannot_be_watched_is_told_at_once(arguments: list[str], says: str) -> None:
    from click.testing import CliRunner

    from cli import main

    result = CliRunner().invoke(main, ["pull", *arguments], catch_exceptions=False)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_a_secret_or_an_address_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from cli import main

    secret = tmp_path / "secret"
    secret.write_text("short", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        watch = ["pull", "--watch", "--webhook", address, "--webhook-secret", str(secret)]
        result = CliRunner().invoke(main, watch, catch_exceptions=False)
        assert (result.exit_code, "shorter than 16 characters" in result.output) == (2, True)
        secret.write_text(SECRET, "utf-8")
        result = CliRunner().invoke(main, watch, catch_exceptions=False)
        assert (result.exit_code, "cannot listen on 127.0.0.1 port" in result.output) == (2, True)
