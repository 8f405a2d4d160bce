"""A store that fails: no answer leaves, nothing crashes, and when it is back it is used without a restart."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.audit.anchor import Anchor
from service.audit.store import AuditUnavailable
from service.audit.store_uri import SqliteUri
from service.audit.trail import AuditTrail
from tests.service.audit.trails import (
    ROOT,
    append,
    assert_verifies,
    entry,
    records,
    request_ids,
    trail,
    until,
    verdict,
)

DEADLINE = 0.4
FULL_DISK = """
import sys
from pathlib import Path
from service.audit.store import AuditUnavailable
from service.audit.store_uri import SqliteUri
from tests.service.audit.trails import append, assert_verifies, entry, records, trail
folder = Path(sys.argv[1])
uri, told, codes = SqliteUri(folder / "audit.db"), [], set()
(folder / "ballast").write_bytes(bytes(2_000_000))
with trail(uri, folder, 0.4) as made:
    def attempt(name):
        try:
            append(made, [entry(name, output=b"x" * 4000)])
        except AuditUnavailable as error:
            codes.add(error.code)
        else:
            told.append(name)
    for i in range(5000):
        attempt(f"before-{i}")
        if codes:
            break
    attempt("full")
    (folder / "ballast").unlink()
    for i in range(20):
        attempt(f"after-{i}")
found = [(record.entry.request_id, record.withholds) for record in records(uri)]
withheld = {seq for _, seq in found}
left = [name for seq, (name, withholds) in enumerate(found, 1) if withholds is None and seq not in withheld]
assert_verifies(uri, folder)
print(codes, left == told, sum(name.startswith("before") for name in told) > 50, told[-1])
"""


@pytest.fixture
def uri(tmp_path: Path) -> SqliteUri:
    (tmp_path / "store").mkdir()
    return SqliteUri(tmp_path / "store" / "audit.db")


def unavailable(made: AuditTrail, name: str) -> str:
    """The code of an answer that must not leave, told within the deadline."""
    began = time.monotonic()
    with pytest.raises(AuditUnavailable) as caught:
        append(made, [entry(name)])
    assert time.monotonic() - began < DEADLINE + 5
    return caught.value.code


def test_a_full_disk(tmp_path: Path) -> None:
    script = (
        f"mount -t tmpfs -o size=4m none {tmp_path} || exit 99\n exec {sys.executable} -c '{FULL_DISK}' {tmp_path}"
    )
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=100, env=known, check=False
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert done.stdout == "{'SQLITE_FULL'} True True after-19\n", done.stdout + done.stderr


def test_a_store_that_was_moved_away_and_comes_back(
    uri: SqliteUri, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was written into the file that nobody could find counts as withheld, once it is found again."""
    caplog.set_level(logging.INFO, "service")
    away = tmp_path / "away"
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
        (tmp_path / "store").rename(away)
        for name in ("b", "c"):
            assert unavailable(made, name) == "FileNotFoundError"
        assert made.problem == "FileNotFoundError"
        away.rename(tmp_path / "store")
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    assert [line.message for line in caplog.records] == ["audit_available", "audit_unavailable", "audit_available"]
    assert request_ids(uri) == ["first", "next"]
    assert_verifies(uri, tmp_path)


def test_a_file_that_is_deleted_under_the_trail(uri: SqliteUri, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
        files = [uri.path, *(uri.path.with_name(f"audit.db-{end}") for end in ("wal", "shm"))]
        for file in files:
            file.rename(kept / file.name)
        assert unavailable(made, "b") in ("FileNotFoundError", "SQLITE_CANTOPEN")
        assert not uri.path.exists(), "a new store was made in place of the old one"
        for file in kept.iterdir():
            file.rename(uri.path.with_name(file.name))
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    found = [(record.entry.request_id, record.withholds) for record in records(uri)]
    assert found == [("first", None), ("next", None)], "nothing was written into the file that nobody could find"
    assert_verifies(uri, tmp_path)


def test_a_deleted_store_is_not_made_anew_by_a_restart(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
    uri.path.unlink()
    with trail(uri, tmp_path, DEADLINE) as made:
        assert unavailable(made, "b") == "SQLITE_CANTOPEN"
    assert not uri.path.exists()


def test_another_store_in_its_place(uri: SqliteUri, tmp_path: Path) -> None:
    other = SqliteUri(tmp_path / "other.db")
    with trail(other, tmp_path) as made:
        append(made, [entry("other")])
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
        shutil.copy(uri.path, tmp_path / "kept.db")
        for end in ("", "-wal", "-shm"):
            uri.path.with_name(f"audit.db{end}").unlink()
        shutil.copy(other.path, uri.path)
        assert unavailable(made, "b") in ("STORE_GONE", "FileNotFoundError", "ANOTHER_STORE")
        assert unavailable(made, "c") == "ANOTHER_STORE"
    with trail(uri, tmp_path, DEADLINE) as made:
        assert unavailable(made, "d") == "ANOTHER_STORE", "the anchor knows, after a restart too"
    assert request_ids(uri) == ["other"]


def test_a_store_that_was_put_back_to_an_earlier_day(uri: SqliteUri, tmp_path: Path) -> None:
    with trail(uri, tmp_path) as made:
        append(made, [entry("first")])
    shutil.copy(uri.path, tmp_path / "backup.db")
    with trail(uri, tmp_path) as made:
        append(made, [entry("second")])
    shutil.copy(tmp_path / "backup.db", uri.path)
    with trail(uri, tmp_path, DEADLINE) as made:
        assert unavailable(made, "third") == "CUT_OFF"
        found = verdict(uri, tmp_path).fault
        assert found is not None
        assert found.words == "cut off: records 2 to 2 were there and are not"
        Path(f"{uri.path}.head").rename(tmp_path / "old-anchor")  # who runs the service decides to go on
        until(lambda: made.problem is None)
        append(made, [entry("third")])
    assert request_ids(uri) == ["first", "third"]
    assert_verifies(uri, tmp_path)


@pytest.mark.parametrize("spoilt", [b"hello\n", b"tregcast-audit-head", bytes(171)])
def test_an_anchor_that_is_none(uri: SqliteUri, tmp_path: Path, spoilt: bytes) -> None:
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
        anchor = Path(f"{uri.path}.head")
        kept = anchor.read_bytes()
        anchor.write_bytes(spoilt)
        assert unavailable(made, "b") == "NO_ANCHOR"
        anchor.write_bytes(kept)
        until(lambda: made.problem is None)
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "next"]


def test_one_writer_at_a_time_has_the_anchor(uri: SqliteUri, tmp_path: Path) -> None:
    """Whoever else writes waits for its lock, commit and checkpoint included."""
    with trail(uri, tmp_path, DEADLINE) as made:
        append(made, [entry("first")])
        with Anchor(Path(f"{uri.path}.head")).held():
            unavailable(made, "b")
        append(made, [entry("next")])
    assert request_ids(uri) == ["first", "next"]


def test_a_file_that_is_no_store_is_left_as_it_is(uri: SqliteUri, tmp_path: Path) -> None:
    uri.path.write_bytes(b"a letter to the hospital" * 100)
    with trail(uri, tmp_path, DEADLINE) as made:
        assert unavailable(made, "a") == "SQLITE_NOTADB"
    assert uri.path.read_bytes() == b"a letter to the hospital" * 100


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    uri = SqliteUri(tmp_path / "mounted-later" / "audit.db")
    with trail(uri, tmp_path, DEADLINE) as made:
        assert unavailable(made, "a") == "FileNotFoundError"
        uri.path.parent.mkdir()
        until(lambda: made.problem is None)
        append(made, [entry("b")])
    assert request_ids(uri) == ["b"]
