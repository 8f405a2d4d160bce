"""The keys as the service sees them: never long behind the store, and nobody admitted without one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path
from types import FrameType

import pytest

from service.access.access import Access
from service.access.key_store import revoke
from tests.service.access.conftest import NOW, document, header, made, refused

SOON = 0.5  # a look is due


def test_a_new_key_is_seen_and_a_revoked_one_is_not_admitted(store: Path, by_key: Access) -> None:
    first = made(store)
    assert by_key.admit(header(first), "predict", NOW).id == first[9:17]
    second = made(store)
    assert by_key.admit(header(second), "predict", NOW + SOON).id == second[9:17]
    revoke(store, first[9:17], NOW)
    assert refused(by_key, first, now=NOW + 2 * SOON) == 401
    assert by_key.admit(header(second), "predict", NOW + 2 * SOON).name == "ward 7"


def test_changes_within_one_grain_of_the_files_time_are_seen(store: Path, by_key: Access) -> None:
    first = made(store)
    os.utime(store, ns=(0, 10**18))
    by_key.admit(header(first), "predict", NOW)
    revoke(store, first[9:17], NOW)
    os.utime(store, ns=(0, 10**18))  # size and time are what they were
    assert refused(by_key, first, now=NOW + SOON) == 401


def test_an_expired_key(store: Path, by_key: Access) -> None:
    text = made(store, days=1)
    assert by_key.admit(header(text), "predict", NOW + 86_399.9).kind == "key"
    assert refused(by_key, text, now=NOW + 86_400) == 401


def test_a_clock_set_back_stops_no_look(store: Path, by_key: Access) -> None:
    text = made(store)
    by_key.admit(header(text), "predict", NOW + 10_000)
    revoke(store, text[9:17], NOW)
    assert refused(by_key, text, now=NOW) == 401


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "it is missing"),
        (lambda path: path.write_bytes(b""), "it is not a store of keys of this version"),
        (lambda path: path.write_bytes(b"\0" * 8192), "it is not a store of keys"),
        (lambda path: path.chmod(0o666), "other users may write it: chmod 600"),
        (lambda path: (path.unlink(), path.mkdir()), "it cannot be opened, read or written"),
        (lambda path: _sql(path, "UPDATE keys SET scopes = 'everything'"), "a scope that this version"),
        (lambda path: _sql(path, "PRAGMA user_version = 2"), "it is not a store of keys of this version"),
        (lambda path: _sql(path, "DROP TABLE keys"), "it cannot be opened, read or written"),
    ],
    ids=["deleted", "emptied", "overwritten", "open to all", "a folder", "a scope", "a version", "no table"],
)  # fmt: skip
def test_a_store_spoilt_while_it_is_in_use_admits_nobody_until_it_is_mended(
    store: Path, by_key: Access, tmp_path: Path, spoil: object, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = made(store)
    kept = shutil.copy2(store, tmp_path / "kept")
    assert by_key.admit(header(text), "predict", NOW).kind == "key"
    spoil(store)  # type: ignore[operator]
    found = document(by_key, text, now=NOW + SOON)
    assert (found.status, found.headers) == (503, {"Retry-After": "5"})
    assert "cannot read its store of keys: " in found.detail
    assert words in found.detail
    assert str(store) not in found.detail
    assert [line for line in caplog.messages if words in line]
    if store.is_dir():
        store.rmdir()
    Path(kept).replace(store)
    assert by_key.admit(header(text), "predict", NOW + 2 * SOON).kind == "key"


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


def test_no_store_from_the_start_admits_nobody(by_key: Access, store: Path) -> None:
    assert refused(by_key, "tregcast_00000000_" + 43 * "a") == 503
    text = made(store)
    assert by_key.admit(header(text), "predict", NOW + SOON).kind == "key"


def test_a_writer_that_holds_the_store_for_long_stops_everybody_after_two_seconds(
    store: Path, by_key: Access
) -> None:
    text = made(store)
    by_key.admit(header(text), "predict", NOW)
    writer = sqlite3.connect(store, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert by_key.admit(header(text), "predict", NOW + 1.9).kind == "key"
    assert "it is locked by another process" in document(by_key, text, now=NOW + 2.5).detail
    writer.execute("ROLLBACK")
    writer.close()
    assert by_key.admit(header(text), "predict", NOW + 3).kind == "key"


def test_a_reader_changes_nothing_and_leaves_no_file(store: Path, by_key: Access) -> None:
    text = made(store)
    before = store.read_bytes(), store.stat().st_mtime_ns
    for at in range(5):
        by_key.admit(header(text), "predict", NOW + at)
    assert (store.read_bytes(), store.stat().st_mtime_ns) == before
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def lines_run(access: Access, credential: str) -> list[tuple[str, int]]:
    """Every line of ours that one refusal runs, in order."""
    found: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, argument: object) -> object:
        if "/service/" in frame.f_code.co_filename and event == "line":
            found.append((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        refused(access, credential)
    finally:
        sys.settrace(before)
    return found


def test_an_unknown_id_a_wrong_secret_and_a_key_that_ended_take_the_same_steps_to_the_same_answer(
    store: Path, by_key: Access
) -> None:
    good, revoked, expired = made(store), made(store), made(store, days=1)
    revoke(store, revoked[9:17], NOW)
    _sql(store, f"UPDATE keys SET expires = 5 WHERE id = '{expired[9:17]}'")
    by_key.admit(header(good), "predict", NOW)
    wrong_secret = good[:-1] + ("A" if good[-1] != "A" else "B")
    wrong_id = good[:9] + ("0" * 8 if good[9:17] != "0" * 8 else "1" * 8) + good[17:]
    attempts = [wrong_secret, wrong_id, revoked, expired, good[:9] + revoked[9:17] + good[17:]]
    steps = [lines_run(by_key, attempt) for attempt in attempts]
    assert len(steps[0]) > 20
    assert all(taken == steps[0] for taken in steps)
    assert len({repr(document(by_key, attempt)) for attempt in [*attempts, "x", "tregcast_1"]}) == 1
