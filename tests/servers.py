"""Real servers for tests: a PostgreSQL of its own, and processes of which nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

READY_WITHIN_SECONDS = 60
REQUIRED = "TREGCAST_REQUIRE_POSTGRES"  # set in CI: there a missing PostgreSQL is a failure


@contextmanager
def postgres_cluster(password: str | None = None) -> Iterator[Callable[[str], str]]:
    """A cluster of its own in a new folder, reached through a socket there and nowhere else.

    Gives what makes a database of a name and says its URI. With a password the cluster asks for it.
    """
    binaries = _binaries()
    # Not under pytest's folder: no other user may enter that, and PostgreSQL refuses to run as root.
    home = Path(tempfile.mkdtemp(prefix="tregcast-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    try:
        if user is not None:
            shutil.chown(home, user)
        auth = ["--auth=trust"]
        if password is not None:
            (home / "password").write_text(password, "utf-8")
            auth = ["--auth=scram-sha-256", f"--pwfile={home / 'password'}"]
        initdb = [binaries / "initdb", "-D", home / "data", "-U", "tregcast", *auth, "--no-sync"]
        made = subprocess.run(initdb, user=user, cwd=home, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        command = [binaries / "postgres", "-D", home / "data", "-k", home, "-c", "listen_addresses="]
        with running([*command, "-c", "fsync=off"], home / "log", signal.SIGINT, user=user) as process:
            ready = [binaries / "pg_isready", "-q", "-h", home, "-U", "tregcast", "-d", "postgres"]
            await_ready(lambda: subprocess.run(ready, check=False).returncode == 0, process, home / "log")
            yield lambda name: _database(binaries, home, name, password)
    finally:
        shutil.rmtree(home)


def _database(binaries: Path, home: Path, name: str, password: str | None) -> str:
    known = {**os.environ, "PGPASSWORD": password or ""}
    subprocess.run([binaries / "createdb", "-h", home, "-U", "tregcast", name], check=True, env=known)
    return f"postgresql+psycopg2://tregcast{'' if password is None else f':{password}'}@/{name}?host={home}"


def _binaries() -> Path:
    """The folder of PostgreSQL's programs, of the newest version there is."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
    found = shutil.which("initdb")
    if found is not None:
        places.append(Path(found).resolve().parent)
    if places:
        return places[-1]
    if os.environ.get(REQUIRED):
        pytest.fail(f"PostgreSQL is not installed, and {REQUIRED} is set")
    pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


@contextmanager
def running(
    command: list[object], log: Path, stop: signal.Signals, **how: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A process at the head of a group of its own, of which nothing is left when the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **how,  # type: ignore[call-overload]
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        finally:
            with suppress(ProcessLookupError):  # all of them have ended
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def await_ready(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_SECONDS
    while not ready():
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < until, log.read_text("utf-8", "replace")
        time.sleep(0.1)


@contextmanager
def mlflow_server(database: str, folder: Path, port: int | None = None, **more: str) -> Iterator[str]:
    """``mlflow server`` on a database, artifacts in the folder and proxied; it says its address.

    ``more`` are settings of its environment.
    """
    port = port or free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--backend-store-uri", database, "--artifacts-destination", folder / "artifacts"),
        *("--host", "127.0.0.1", "--port", str(port), "--allowed-hosts", f"127.0.0.1:{port}"),
    ]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", **more}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | settings
    with running(command, folder / "log", signal.SIGTERM, env=environment, cwd=folder) as process:
        uri = f"http://127.0.0.1:{port}"
        await_ready(lambda: answers(f"{uri}/health"), process, folder / "log")
        yield uri


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident_kib(pid: int) -> int:
    """What a process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
