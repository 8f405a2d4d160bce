"""Processes that append to one chain, and one that is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from service.audit.store_uri import SqliteUri
from tests.service.audit.trails import ROOT, append, assert_verifies, entry, records, request_ids, trail

APPEND = """
import asyncio, sys
from pathlib import Path
from service.audit.store_uri import SqliteUri
from tests.service.audit.trails import entry, trail
path, name, callers, calls = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

async def caller(made, number):
    for i in range(calls):
        said = f"{name}-{number}-{i}"
        await made.record([entry(said, output=b"x" * 3000)])
        sys.stdout.write(said + "\\n")  # it left
        sys.stdout.flush()

async def run():
    await asyncio.gather(*(caller(made, number) for number in range(callers)))

with trail(SqliteUri(path), path.parent, 30.0) as made:
    asyncio.run(run())
"""


def start(uri: SqliteUri, name: str, callers: int, calls: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", APPEND, str(uri.path), name, str(callers), str(calls)]
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=known)


def test_a_process_that_is_killed_loses_nothing_that_left(tmp_path: Path) -> None:
    uri, left = SqliteUri(tmp_path / "audit.db"), []
    for name in ("a", "b", "c"):
        process = start(uri, name, 16, 100_000)
        assert process.stdout is not None
        left += [process.stdout.readline().strip() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        left += process.stdout.read().split("\n")[:-1]  # a line that was cut has no end
        process.stdout.close()
        assert process.wait(10) == -signal.SIGKILL
        assert_verifies(uri, tmp_path)
        assert set(left) <= set(request_ids(uri))
    with trail(uri, tmp_path) as made:
        append(made, [entry("next")])
    assert request_ids(uri)[-1] == "next"
    assert_verifies(uri, tmp_path)


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    uri = SqliteUri(tmp_path / "audit.db")  # which all of them would make
    processes = [start(uri, name, 4, 40) for name in "abc"]
    left = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        left += out.split()
    found = records(uri)
    assert sorted(record.entry.request_id for record in found) == sorted(left)
    assert [record.seq for record in found] == list(range(1, 3 * 4 * 40 + 1))
    assert_verifies(uri, tmp_path)
