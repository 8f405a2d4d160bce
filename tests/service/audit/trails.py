"""What the tests of the trail share: entries, trails on real stores, and a look at what a store holds."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from service.audit.anchor import Anchor, read_anchor
from service.audit.key import InputKey
from service.audit.record import AuditRecord, Caller, Entry, Outcome
from service.audit.search import search
from service.audit.store_uri import PostgresUri, SqliteUri, StoreUri, open_reader, open_store
from service.audit.trail import AuditTrail
from service.audit.verify import Verdict, verify
from service.audit.waiting import Waiting

ROOT = Path(__file__).parents[3]
KEY = InputKey(bytes(range(32)))
MADE_BY = "tregcast 0.1.0"
OUTPUT = b'{"outcome":"prediction","progression_rate":0.7415357401187066}'


def entry(request_id: str = "5f1c", outcome: Outcome = "prediction", output: bytes | None = OUTPUT) -> Entry:
    codes = () if outcome == "prediction" else ("missing_unit", "out_of_range")
    sent = KEY.digest(b'{"visits": []}')
    return Entry(request_id, Caller("clinic-7", "key"), "ab" * 32, sent, outcome, codes, output)


def rejection(request_id: str = "5f1d") -> Entry:
    return entry(request_id, "rejected", None)


def anchor_of(uri: StoreUri, folder: Path) -> Path:
    return Path(f"{uri.path}.head") if isinstance(uri, SqliteUri) else folder / "anchor.head"


@contextmanager
def trail(
    uri: StoreUri, folder: Path, deadline: float = 5.0, waiting: Waiting | None = None
) -> Iterator[AuditTrail]:
    """A trail on a store, with its anchor, that is up."""
    anchor = Anchor(anchor_of(uri, folder))
    made = AuditTrail(open_store(uri), anchor, KEY, made_by=MADE_BY, deadline_seconds=deadline, waiting=waiting)
    try:
        yield made
    finally:
        made.close()


def append(made: AuditTrail, *calls: Sequence[Entry]) -> None:
    """Record each of these, all at once."""

    async def run() -> None:
        await asyncio.gather(*(made.record(entries) for entries in calls))

    asyncio.run(run())


def records(uri: StoreUri) -> list[AuditRecord]:
    with open_reader(uri) as reader:
        return list(search(reader))


def request_ids(uri: StoreUri) -> list[str]:
    return [record.entry.request_id for record in records(uri)]


def verdict(uri: StoreUri, folder: Path) -> Verdict:
    """What verifying says of a store, held to its anchor."""
    anchor = read_anchor(anchor_of(uri, folder))
    with open_reader(uri) as reader:
        return verify(reader, anchor=anchor)


def assert_verifies(uri: StoreUri, folder: Path) -> None:
    found = verdict(uri, folder)
    assert found.fault is None
    assert found.held_to


def until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def altered(path: Path, *statements: str) -> None:
    """Change a store as somebody with a database tool would, who drops what refuses it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def postgres_uri(made: str) -> PostgresUri:
    """As the tests' cluster says it for SQLAlchemy, in the form that PostgreSQL knows."""
    return PostgresUri(made.replace("postgresql+psycopg2://", "postgresql://"))
