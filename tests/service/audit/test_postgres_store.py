"""The same trail in a PostgreSQL: one chain of many writers, through stops, lost connections and slow commits."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from service.audit.key import make_key
from service.audit.store import AuditUnavailable, StoreFailed
from service.audit.store_uri import PostgresUri, open_reader
from service.audit.verify import verify
from tests.servers import await_ready, postgres_cluster, running
from tests.service.audit.trails import (
    ROOT,
    append,
    assert_verifies,
    entry,
    postgres_uri,
    records,
    rejection,
    request_ids,
    trail,
    until,
    verdict,
)

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def uri(postgres: Callable[[str], str], request: pytest.FixtureRequest) -> PostgresUri:
    return postgres_uri(postgres(f"audit_{abs(hash(request.node.name))}"))


def execute(uri: PostgresUri, *statements: str) -> list[tuple[object, ...]]:
    """What the last statement finds."""
    with psycopg.connect(uri.uri, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


class Standby:
    """A standby that is not there: while it is asked for, each commit of the cluster waits for it."""

    def __init__(self, uri: PostgresUri) -> None:
        self._uri = uri

    def ask(self) -> None:
        execute(self._uri, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        until(lambda: execute(self._uri, "SHOW synchronous_standby_names") == [("nobody",)])

    def do_without(self) -> None:
        execute(self._uri, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


@pytest.fixture
def standby(uri: PostgresUri) -> Iterator[Standby]:
    made = Standby(uri)
    yield made
    made.do_without()


def test_what_was_recorded_is_there_in_order(uri: PostgresUri, tmp_path: Path) -> None:
    odd = entry("\0\ud800", output=bytes(range(256)) * 40)
    with trail(uri, tmp_path) as made:
        append(made, [entry("a"), odd], [rejection("c")])
        append(made, [entry("d")])
    assert request_ids(uri) == ["a", "\0\ud800", "c", "d"]
    assert records(uri)[1].entry == odd
    assert_verifies(uri, tmp_path)


def test_trails_that_append_at_once_make_one_chain(uri: PostgresUri, tmp_path: Path) -> None:
    """As on two machines: each has an anchor of its own."""
    homes = [tmp_path / name for name in "ab"]
    for home in homes:
        home.mkdir()

    async def run() -> None:
        async def caller(number: int) -> None:
            for i in range(10):
                await (one, two)[number % 2].record([entry(f"{number}-{i}")])

        await asyncio.gather(*(caller(number) for number in range(8)))

    with trail(uri, homes[0]) as one, trail(uri, homes[1]) as two:
        asyncio.run(run())
    assert len(set(request_ids(uri))) == 80
    for home in homes:
        assert_verifies(uri, home)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE tregcast_audit SET output = NULL WHERE seq = 2", 2),
        ("UPDATE tregcast_audit SET hash = upper(hash) WHERE seq = 3", 3),
        ("DELETE FROM tregcast_audit WHERE seq = 2", 2),
        ("DELETE FROM tregcast_audit WHERE seq > 3", 4),
    ],
)
def test_tampering(uri: PostgresUri, tmp_path: Path, statement: str, seq: int) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry(name) for name in "abcde"])
    execute(uri, statement)
    fault = verdict(uri, tmp_path).fault
    assert fault is not None
    assert fault.seq == seq


def test_a_database_without_a_trail_cannot_be_opened(uri: PostgresUri) -> None:
    with pytest.raises(StoreFailed, match="no tables of an audit store"), open_reader(uri) as reader:
        verify(reader)


def test_a_role_that_can_only_add(uri: PostgresUri, tmp_path: Path) -> None:
    """The tables made by hand, as docs/audit.md has them."""
    found = re.search(r"```sql\n(.*?)```", (ROOT / "docs" / "audit.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    role = f"adder_{os.getpid()}"
    statements = found[1].replace("TO tregcast;", f"TO {role};").split(";")[:-1]
    execute(uri, f"CREATE ROLE {role} LOGIN", *statements)
    with trail(PostgresUri(uri.uri.replace("//tregcast", f"//{role}")), tmp_path) as made:
        append(made, [entry("a")])
    assert request_ids(uri) == ["a"]
    assert_verifies(uri, tmp_path)


def test_a_driver_that_is_not_installed_is_said_at_the_start(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from pathlib import Path
from service.audit.settings import AuditSettings
from service.audit.store_uri import PostgresUri
from service.audit.trail import open_trail
from service.settings import Unusable
try:
    open_trail(AuditSettings(PostgresUri("postgresql://h/d"), Path(sys.argv[1]), None), made_by="tregcast 0.1.0")
except Unusable as error:
    print(error)
"""
    make_key(tmp_path / "key")
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "key")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=known)
    assert done.stdout == (
        "TREGCAST_AUDIT: PostgreSQL needs psycopg 3; pip install 'tregcast[postgres]', or set sqlite:///FILE\n"
    )


def test_neither_password_nor_row_is_in_an_error(uri: PostgresUri) -> None:
    wrong = PostgresUri("postgresql://tregcast:hunter2@127.0.0.1:1/audit")
    with pytest.raises(StoreFailed) as caught, open_reader(wrong):
        pass
    assert str(caught.value) == "PostgreSQL: OperationalError, OperationalError"


def test_a_commit_that_comes_too_late_is_followed_by_a_record_that_says_so(
    uri: PostgresUri, tmp_path: Path, standby: Standby
) -> None:
    with trail(uri, tmp_path, deadline=0.5) as made:
        append(made, [entry("first")])
        standby.ask()
        began = time.monotonic()
        with pytest.raises(AuditUnavailable):
            append(made, [entry("late")])
        assert time.monotonic() - began < 1
        standby.do_without()
        until(lambda: len(request_ids(uri)) == 3)
        append(made, [entry("next")])
    found = [(record.entry.request_id, record.entry.outcome, record.withholds) for record in records(uri)]
    assert found == [
        ("first", "prediction", None),
        ("late", "prediction", None),
        ("late", "unavailable", 2),
        ("next", "prediction", None),
    ]
    assert records(uri)[2].entry.codes == ("audit_too_late",)
    assert_verifies(uri, tmp_path)


def test_a_connection_that_is_lost_in_the_middle_of_a_commit(
    uri: PostgresUri, tmp_path: Path, standby: Standby
) -> None:
    """The commit was made, and the answer to it never came: it is found in the chain, and not recorded twice."""
    syncing = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'tregcast audit'"
    )

    async def cut() -> None:
        call = asyncio.ensure_future(made.record([entry("cut")]))
        while not (found := await asyncio.to_thread(execute, uri, syncing)):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(execute, uri, f"SELECT pg_terminate_backend({found[0][0]})")
        await call

    with trail(uri, tmp_path, deadline=5.0) as made:
        append(made, [entry("first")])
        standby.ask()
        asyncio.run(cut())
        standby.do_without()
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "cut", "next"]
    assert_verifies(uri, tmp_path)


def test_a_server_that_is_stopped_and_started(tmp_path: Path) -> None:
    with postgres_cluster() as database:
        uri = postgres_uri(database("audit"))
        home = Path(uri.uri.partition("?host=")[2])
        pid = int((home / "data" / "postmaster.pid").read_text("utf-8").split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")[:-1]
        binaries = Path(f"/proc/{pid}/exe").resolve().parent
        with trail(uri, tmp_path, deadline=0.5) as made:
            append(made, [entry("first")])
            os.kill(pid, signal.SIGINT)
            until(lambda: not (home / "data" / "postmaster.pid").exists())
            for name in ("b", "c"):
                began = time.monotonic()
                with pytest.raises(AuditUnavailable):
                    append(made, [entry(name)])
                assert time.monotonic() - began < 1
            assert made.problem is not None
            ready = [binaries / "pg_isready", "-q", "-h", home, "-U", "tregcast", "-d", "postgres"]
            with running(list(command), home / "log2", signal.SIGINT, user=home.stat().st_uid, cwd=home) as process:
                await_ready(lambda: subprocess.run(ready, check=False).returncode == 0, process, home / "log2")
                until(lambda: made.problem is None)
                append(made, [entry("next")])
                assert request_ids(uri) == ["first", "next"]
                assert_verifies(uri, tmp_path)
