"""The walk that the examples share: train a cohort file, start the service on its model, ask it, stop it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

COMMAND = Path(sys.executable).with_name("tregcast")
READY_WITHIN_SECONDS = 60


def step(text: str) -> None:
    """Say what comes next."""
    width = min(shutil.get_terminal_size().columns, 100)
    print(f"\n── {text} {'─' * max(0, width - len(text) - 4)}", flush=True)


def tregcast(*arguments: str) -> None:
    """Run a command of tregcast as a user would, its output on the terminal."""
    print(f"$ tregcast {' '.join(arguments)}\n", flush=True)
    subprocess.run([str(COMMAND), *arguments], check=True)


@contextmanager
def service(pack: str) -> Iterator[str]:
    """The service on a free loopback port, until the block ends; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "--pack", pack, "--port", str(port), "--admin-port", "0"]
    print(f"$ tregcast {' '.join(arguments)} &", flush=True)
    log = tempfile.TemporaryFile()  # noqa: SIM115  its request log, shown only if it does not start
    process = subprocess.Popen([str(COMMAND), *arguments], stdout=subprocess.DEVNULL, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _await(process, f"{url}/readyz", log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace")
            raise SystemExit(f"the service ended with exit code {process.returncode} before it was ready:\n{said}")
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"the service was not ready within {READY_WITHIN_SECONDS} seconds")
