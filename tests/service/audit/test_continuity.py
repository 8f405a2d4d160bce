"""A store put back under a trail that runs: nothing is recorded until a person accepts the loss, in the chain."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from service.audit.anchor import Anchor, Anchored
from service.audit.chain import Head
from service.audit.known_head import KnownHead
from service.audit.store import AuditUnavailable
from service.audit.store_uri import PostgresUri, SqliteUri, StoreUri, open_reader, open_store
from service.audit.trail import AuditTrail
from service.audit.upkeep import Tool
from service.audit.verify import verify
from tests.service.audit.trails import (
    KEY,
    MADE_BY,
    altered,
    anchor_of,
    append,
    assert_verifies,
    entry,
    postgres_uri,
    request_ids,
    trail,
    until,
    verdict,
)

pytestmark = pytest.mark.xdist_group("postgres")
FIVE, NINE = list("abcde"), list("abcdefghi")


def copied(store: Path, to: Path) -> None:
    """All files of a store and its anchor, as a copy of the folder has them."""
    to.mkdir(exist_ok=True)
    for path in store.iterdir():
        shutil.copy2(path, to / path.name)


def put_back(copy: Path, store: Path) -> None:
    for path in list(store.iterdir()):
        path.unlink()
    copied(copy, store)


def put_back_in_place(copy: Path, store: Path) -> None:
    """As `cp` writes over a file: it stays the same file, and what SQLite keeps beside it is removed."""
    for path in list(store.iterdir()):
        source = copy / path.name
        if source.exists():
            path.write_bytes(source.read_bytes())
        else:
            path.unlink()


@pytest.fixture
def uri(tmp_path: Path) -> SqliteUri:
    (tmp_path / "store").mkdir()
    return SqliteUri(tmp_path / "store" / "audit.db")


def opened(uri: StoreUri, folder: Path, known: KnownHead | None = None) -> AuditTrail:
    anchor = Anchor(anchor_of(uri, folder))
    return AuditTrail(open_store(uri), anchor, KEY, made_by=MADE_BY, deadline_seconds=0.5, known=known)


def refused(made: AuditTrail) -> str:
    with pytest.raises(AuditUnavailable) as caught:
        append(made, [entry("lost")])
    return caught.value.code


def accept(uri: StoreUri, folder: Path, known: Head | None, anchor: bool = True) -> tuple[Head, Head, Head]:
    store = open_store(uri)
    held = Anchor(anchor_of(uri, folder)) if anchor else None
    try:
        return Tool(store, held, KEY, MADE_BY).accept(known, by="operator", reason="restored after a disk fault")
    finally:
        store.close()


def test_nine_records_then_five_are_never_verified_silently(
    uri: SqliteUri, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The copy holds the anchor too, so that store and anchor fit each other: only the worker knows better."""
    caplog.set_level(logging.INFO, "service")
    with trail(uri, tmp_path) as made:
        append(made, *([entry(name)] for name in FIVE))
    copied(uri.path.parent, tmp_path / "copy")
    with closing(opened(uri, tmp_path)) as made:
        append(made, *([entry(name)] for name in NINE[5:]))
        put_back(tmp_path / "copy", uri.path.parent)
        until(lambda: made.problem == "CUT_OFF")  # though nobody asks anything
        assert refused(made) == "CUT_OFF"
        trouble = made.trouble
        assert trouble is not None
        assert trouble.known is not None
        assert (trouble.known.seq, trouble.found and trouble.found.seq) == (9, 5)
        assert f"tregcast audit accept --known {trouble.known} --reason" in trouble.remedy
        assert accept(uri, tmp_path, trouble.known)[0] == trouble.known
        until(lambda: made.problem is None)  # without a restart
        append(made, [entry("next")])
    assert sorted(request_ids(uri)) == [*FIVE, "next"]
    found = verdict(uri, tmp_path)
    assert (found.fault, found.head.seq) == (None, 7)
    assert found.notes[0].seq == 6
    words = found.notes[0].words
    assert words.startswith(f"discontinuity: a person ('operator') went on without {trouble.known}, after 5:")
    assert "restored after a disk fault" in words
    assert [line.message for line in caplog.records].count("audit_unavailable") >= 1


def test_a_file_written_over_in_place_loses_nothing_or_is_refused(uri: SqliteUri, tmp_path: Path) -> None:
    """What SQLite has not yet moved into the file stands beside it: put over an older file, it is no chain."""
    with trail(uri, tmp_path) as made:
        append(made, *([entry(name)] for name in FIVE))
    copied(uri.path.parent, tmp_path / "early")
    with trail(uri, tmp_path) as made:
        for _ in range(20):
            append(made, [entry(str(number), output=b"x" * 2000) for number in range(100)])
    copied(uri.path.parent, tmp_path / "late")
    for copy, problems in (("late", {None}), ("early", {"SQLITE_CORRUPT", "CUT_OFF"})):
        with closing(opened(uri, tmp_path)) as made:
            append(made, [entry("last")])
            put_back_in_place(tmp_path / copy, uri.path.parent)
            time.sleep(2.5)  # it looks every two seconds
            assert made.problem in problems
        if copy == "late":
            assert request_ids(uri)[-1] == "last"


def test_a_restart_is_no_acceptance_where_the_anchor_is_apart(uri: SqliteUri, tmp_path: Path) -> None:
    apart = Anchor(tmp_path / "apart.head")

    def again() -> AuditTrail:
        return AuditTrail(open_store(uri), apart, KEY, made_by=MADE_BY, deadline_seconds=0.5)

    with closing(again()) as made:
        append(made, *([entry(name)] for name in FIVE))
    copied(uri.path.parent, tmp_path / "copy")
    with closing(again()) as made:
        append(made, [entry("f")])
    put_back(tmp_path / "copy", uri.path.parent)
    for _ in range(2):
        with closing(again()) as made:
            assert refused(made) == "CUT_OFF"
    Tool(open_store(uri), apart, KEY, MADE_BY).accept(None, by="operator", reason="restored")
    with closing(again()) as made:
        append(made, [entry("next")])
    assert sorted(request_ids(uri)) == [*FIVE, "next"]


def test_workers_that_share_what_is_known(uri: SqliteUri, tmp_path: Path) -> None:
    """An idle worker has seen nothing of the four records, and one that takes another's place nothing at all."""
    known = KnownHead()
    with closing(opened(uri, tmp_path, known)) as busy, closing(opened(uri, tmp_path, known)) as idle:
        append(busy, *([entry(name)] for name in FIVE))
        copied(uri.path.parent, tmp_path / "copy")
        append(busy, *([entry(name)] for name in NINE[5:]))
        put_back(tmp_path / "copy", uri.path.parent)
        assert refused(idle) == "CUT_OFF"
    with closing(opened(uri, tmp_path, known)) as replacing:
        assert refused(replacing) == "CUT_OFF"
    known.close()


def test_a_store_emptied_or_made_anew_under_a_trail(uri: SqliteUri, tmp_path: Path) -> None:
    with closing(opened(uri, tmp_path)) as made:
        append(made, *([entry(name)] for name in FIVE))
        for path in list(uri.path.parent.iterdir()):
            path.unlink()
        assert refused(made) in ("FileNotFoundError", "SQLITE_CANTOPEN")
        uri.path.touch()
        until(lambda: made.problem == "SQLITE_ERROR")  # no such table: an empty file is no store
        uri.path.unlink()
        other = SqliteUri(tmp_path / "other.db")
        with trail(other, tmp_path) as another:
            append(another, [entry("other")])
        shutil.copy(other.path, uri.path)
        until(lambda: made.problem == "ANOTHER_STORE")
        trouble = made.trouble
        assert trouble is not None
        assert "--known-store" in trouble.remedy


def test_a_store_that_others_may_write_records_nothing(uri: SqliteUri, tmp_path: Path) -> None:
    with closing(opened(uri, tmp_path)) as made:
        append(made, [entry("a")])
        uri.path.chmod(0o666)
        assert refused(made) == "OTHERS_MAY_WRITE"
        uri.path.chmod(0o600)
        until(lambda: made.problem is None)
        append(made, [entry("b")])
    assert request_ids(uri) == ["a", "b"]


def test_nothing_lost_is_nothing_to_accept(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry("a")])
    with pytest.raises(ValueError, match="nothing is lost: the chain goes on from 1:"):
        accept(uri, tmp_path, None)
    assert request_ids(uri) == ["a"]


def test_a_note_that_somebody_without_the_key_wrote_accepts_nothing(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, *([entry(name)] for name in FIVE))
    copied(uri.path.parent, tmp_path / "copy")
    with closing(opened(uri, tmp_path)) as made:
        append(made, [entry("f")])
        put_back(tmp_path / "copy", uri.path.parent)
        until(lambda: made.problem == "CUT_OFF")
        trouble = made.trouble
        assert trouble is not None
        other = Tool(open_store(uri), Anchor(anchor_of(uri, tmp_path)), replace(KEY, secret=bytes(32)), MADE_BY)
        other.accept(trouble.known, by="somebody", reason="none")
        other.store.close()
        assert refused(made) == "CUT_OFF"
    with open_reader(uri) as reader:
        fault = verify(reader, key=KEY).fault
    assert fault is None  # signed by a key that is not this one: said in the note, and no fault
    altered(uri.path, "UPDATE records SET body = replace(body, 'somebody', 'operator') WHERE seq = 6")
    found = verdict(uri, tmp_path).fault
    assert found is not None
    assert found.seq == 6


def test_an_anchor_that_is_made_anew_is_noted_in_the_chain(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry("a")])
    anchor_of(uri, tmp_path).unlink()
    with trail(uri, tmp_path) as made:
        append(made, [entry("b")])
    assert request_ids(uri) == ["a", "b"]
    found = verdict(uri, tmp_path)
    assert [note.seq for note in found.notes] == [2]
    assert found.notes[0].words.startswith("a new anchor was made after 1:")


def test_known_heads_only_go_forward_unless_a_person_says_so() -> None:
    known, store = KnownHead(), "ab" * 32
    one, two = Anchored(store, Head(1, "01" * 32)), Anchored(store, Head(2, "02" * 32))
    assert known.read() is None
    for seen in (two, one):
        known.write(seen)
        assert known.read() == two
    known.write(one, instead_of=two)
    assert known.read() == one
    known.close()


@pytest.fixture
def database(postgres: Callable[[str], str], request: pytest.FixtureRequest) -> PostgresUri:
    return postgres_uri(postgres(f"continuity_{abs(hash(request.node.name))}"))


def dumped(uri: PostgresUri, to: Path) -> None:
    with psycopg.connect(uri.uri) as connection:
        rows = connection.execute("SELECT count(*) FROM tregcast_audit").fetchone()
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT * FROM tregcast_audit")
    to.write_text(str(rows), "utf-8")


@pytest.mark.parametrize("anchored", [True, False])
def test_a_postgres_database_put_back_under_a_trail(database: PostgresUri, tmp_path: Path, anchored: bool) -> None:
    """Without an anchor, as is the default there, the worker alone knows."""
    anchor = Anchor(tmp_path / "anchor.head") if anchored else None
    made = AuditTrail(open_store(database), anchor, KEY, made_by=MADE_BY, deadline_seconds=2.0)
    with closing(made):
        append(made, *([entry(name)] for name in FIVE))
        dumped(database, tmp_path / "rows")
        append(made, *([entry(name)] for name in NINE[5:]))
        with psycopg.connect(database.uri) as connection:
            connection.execute("TRUNCATE tregcast_audit")
            connection.execute("INSERT INTO tregcast_audit SELECT * FROM kept")
        until(lambda: made.problem == "CUT_OFF")
        assert refused(made) == "CUT_OFF"
        trouble = made.trouble
        assert trouble is not None
        store = open_store(database)
        Tool(store, anchor, KEY, MADE_BY).accept(trouble.known, by="operator", reason="restored")
        store.close()
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    assert sorted(request_ids(database)) == [*FIVE, "next"]
    with open_reader(database) as reader:
        found = verify(reader, key=KEY)
    assert (found.fault, [note.words[:13] for note in found.notes]) == (None, ["discontinuity"])


def test_a_clock_that_goes_back_is_marked_and_reported(uri: SqliteUri, tmp_path: Path) -> None:
    now = datetime.now(UTC) - timedelta(days=1)
    times = [now, now + timedelta(hours=1), now, now + timedelta(seconds=2), now + timedelta(seconds=1)]
    with trail(uri, tmp_path) as made:
        for name, time in zip("abcde", times, strict=True):
            append(made, [replace(entry(name), time=time)])
    found = verdict(uri, tmp_path)
    assert (found.fault, found.head.seq) == (None, 5)
    # the second of difference between d and e is what a queue explains: only c is marked
    assert [(note.seq, note.words) for note in found.notes] == [
        (3, "the clock went back: its time is 3600 s before that of earlier ones")
    ]
    assert request_ids(uri) == list("abcde")


def test_processes_under_a_clock_that_was_set_back(uri: SqliteUri, tmp_path: Path) -> None:
    """A record of the future is there: the process that comes after it marks its first one, and the chain holds."""

    async def run(made: AuditTrail) -> None:
        for name in ("b", "c"):
            await made.record([entry(name)])

    with trail(uri, tmp_path) as made:
        append(made, [replace(entry("a"), time=datetime.now(UTC) + timedelta(days=2))])
    with trail(uri, tmp_path) as made:
        asyncio.run(run(made))
    assert [note.seq for note in verdict(uri, tmp_path).notes] == [2]
    assert_verifies(uri, tmp_path)
