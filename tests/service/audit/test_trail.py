"""When `record` returns its entries are durable; when it does not, what the chain says is true."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.audit.record import Entry
from service.audit.store import AuditUnavailable
from service.audit.store_uri import SqliteUri
from service.audit.trail import NoTrail, open_trail
from service.audit.waiting import Waiting
from tests.service.audit.trails import (
    append,
    assert_verifies,
    entry,
    records,
    rejection,
    request_ids,
    trail,
    until,
    verdict,
)


@pytest.fixture
def uri(tmp_path: Path) -> SqliteUri:
    return SqliteUri(tmp_path / "audit.db")


@contextmanager
def locked(uri: SqliteUri) -> Iterator[None]:
    """Another program holds the store."""
    connection = sqlite3.connect(uri.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def commits(uri: SqliteUri) -> int:
    """How many transactions the write-ahead log holds: frames with a size (https://www.sqlite.org/fileformat.html)."""
    log = uri.path.with_name(f"{uri.path.name}-wal").read_bytes()
    page = int.from_bytes(log[8:12], "big")
    salt = log[16:24]
    frames = (log[at : at + 24] for at in range(32, len(log), 24 + page))
    return sum(frame[4:8] != bytes(4) and frame[8:16] == salt for frame in frames)


def test_what_was_recorded_is_there_in_order(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        for name in "abc":
            append(made, [entry(name), rejection(name * 2)])
            assert request_ids(uri)[-2:] == [name, name * 2]
    assert request_ids(uri) == ["a", "aa", "b", "bb", "c", "cc"]
    assert [record.seq for record in records(uri)] == [1, 2, 3, 4, 5, 6]
    assert_verifies(uri, tmp_path)


def test_a_trail_goes_on_where_another_ended(uri: SqliteUri, tmp_path: Path) -> None:
    for name in "ab":
        with trail(uri, tmp_path) as made:
            append(made, [entry(name)])
    assert request_ids(uri) == ["a", "b"]
    assert_verifies(uri, tmp_path)


def test_nothing_to_record_is_no_record(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [])
        until(lambda: made.problem is None)
    assert records(uri) == []
    assert_verifies(uri, tmp_path)


def test_all_that_waits_shares_one_commit(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry("first")])
        before = commits(uri)
        holder = threading.Event()

        def hold() -> None:
            with locked(uri):
                holder.set()
                time.sleep(0.3)

        thread = threading.Thread(target=hold)
        thread.start()
        holder.wait()
        append(made, *([entry(str(i))] for i in range(64)))
        thread.join()
        assert commits(uri) - before <= 2
    assert len(request_ids(uri)) == 65
    assert_verifies(uri, tmp_path)


def test_only_its_user_may_read_a_store(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry()])
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["audit.db", "audit.db-wal", "audit.db-shm", "audit.db.head"], 0o600)


def test_nothing_is_updated_or_deleted_by_accident(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry()])
    connection = sqlite3.connect(uri.path, isolation_level=None)
    for statement in ("UPDATE records SET output = NULL", "DELETE FROM records", "DELETE FROM store"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


# ------------------------------------------------------------------------------------------ answers that never left


def test_what_is_too_late_and_was_not_written_is_in_no_chain(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path, deadline=0.3) as made:
        append(made, [entry("first")])
        with locked(uri):
            began = time.monotonic()
            with pytest.raises(AuditUnavailable):
                append(made, [entry("late")])
            assert time.monotonic() - began < 1
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "next"]
    assert_verifies(uri, tmp_path)


def test_an_answer_in_the_chain_that_never_left_is_followed_by_a_record_that_says_so(
    uri: SqliteUri, tmp_path: Path
) -> None:
    """The caller goes when the record is durable already, in the moment before `record` would have returned."""

    async def gone(made_entries: list[Entry]) -> None:
        task = asyncio.ensure_future(made.record(made_entries))
        await asyncio.sleep(0)
        while not request_ids(uri)[1:]:  # this loop wakes nobody meanwhile
            time.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with trail(uri, tmp_path) as made:
        append(made, [entry("first")])
        asyncio.run(gone([entry("b"), rejection("c")]))
        until(lambda: len(request_ids(uri)) == 5)
        append(made, [entry("next")])
    found = records(uri)
    assert [record.entry.request_id for record in found] == ["first", "b", "c", "b", "c", "next"]
    assert [record.withholds for record in found] == [None, None, None, 2, 3, None]
    follow_up = found[3].entry
    assert (follow_up.outcome, follow_up.codes, follow_up.output) == ("unavailable", ("caller_gone",), None)
    assert follow_up.input_digest == found[1].entry.input_digest
    assert_verifies(uri, tmp_path)
    assert verdict(uri, tmp_path).withheld == 2


def test_a_caller_who_goes_before_the_record_is_written_leaves_none(uri: SqliteUri, tmp_path: Path) -> None:
    async def gone() -> None:
        task = asyncio.ensure_future(made.record([entry("gone")]))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with trail(uri, tmp_path) as made:
        append(made, [entry("first")])
        with locked(uri):
            asyncio.run(gone())
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "next"]


# ---------------------------------------------------------------------------------------------------------- bounds


def test_no_more_waits_than_there_is_room_for(uri: SqliteUri, tmp_path: Path) -> None:
    async def crowd() -> list[BaseException | None]:
        calls = [made.record([entry(str(i))]) for i in range(8)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with trail(uri, tmp_path, deadline=0.4, waiting=Waiting(most_entries=5)) as made:
        append(made, [entry("first")])
        with locked(uri):
            told = asyncio.run(crowd())
        codes = [str(error) for error in told]
        assert codes.count("QUEUE_FULL") == 3
        assert all(isinstance(error, AuditUnavailable) for error in told)
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "next"]


def test_bytes_are_bounded_too_but_one_call_may_be_large(uri: SqliteUri, tmp_path: Path) -> None:
    large = entry("large", output=b"x" * 10_000)

    async def two() -> list[BaseException | None]:
        return await asyncio.gather(made.record([large]), made.record([large]), return_exceptions=True)

    with trail(uri, tmp_path, waiting=Waiting(most_bytes=5_000)) as made:
        append(made, [entry("first")])
        first, second = asyncio.run(two())
    assert first is None
    assert str(second) == "QUEUE_FULL"
    assert request_ids(uri) == ["first", "large"]


def test_a_closed_trail_records_what_waits_and_takes_nothing_more(uri: SqliteUri, tmp_path: Path) -> None:
    async def close_in_the_middle() -> None:
        calls = [asyncio.ensure_future(made.record([entry(str(i))])) for i in range(10)]
        await asyncio.sleep(0)
        made.close()
        await asyncio.gather(*calls)
        with pytest.raises(AuditUnavailable, match="CLOSED"):
            await made.record([entry()])

    with trail(uri, tmp_path) as made:
        asyncio.run(close_in_the_middle())
    assert len(request_ids(uri)) == 10


def test_a_trail_that_cannot_write_closes_all_the_same(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path, deadline=0.2) as made:
        append(made, [entry()])
        with locked(uri):
            with pytest.raises(AuditUnavailable):
                append(made, [entry()])
            began = time.monotonic()
            made.close()
            assert time.monotonic() - began < 3


def test_an_entry_that_cannot_be_written_harms_no_other_for_long(uri: SqliteUri, tmp_path: Path) -> None:
    """A fault of a caller's code: the trail stays up."""
    wrong = entry("wrong")
    object.__setattr__(wrong, "request_id", b"bytes")
    with trail(uri, tmp_path, deadline=0.3) as made:
        with pytest.raises(AuditUnavailable, match="TypeError"):
            append(made, [wrong])
        append(made, [entry("next")])
    assert request_ids(uri) == ["next"]


def test_off_is_said_loudly_and_records_nothing(caplog: pytest.LogCaptureFixture) -> None:
    made = open_trail(None, made_by="tregcast 0.1.0")
    assert isinstance(made, NoTrail)
    assert made.problem is None
    append(made, [entry()])  # type: ignore[arg-type]
    made.close()
    (line,) = caplog.records
    assert (line.levelname, line.message.split(":")[0]) == ("WARNING", "audit_off")
