"""Verifying finds every way to tamper with a store, and names the first record that is not as it was written."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.canonical import canonical_json
from service.audit.anchor import read_anchor
from service.audit.chain import Head
from service.audit.store import StoreFailed
from service.audit.store_uri import SqliteUri, open_reader
from service.audit.verify import Fault, Verdict, verify
from tests.service.audit.trails import altered, append, entry, rejection, trail

RECORDS = 12
SHIFT = "UPDATE records SET seq = -seq - 1 WHERE seq >= 6", "UPDATE records SET seq = -seq WHERE seq < 0"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SqliteUri:
    folder = tmp_path_factory.mktemp("written")
    uri = SqliteUri(folder / "audit.db")
    with trail(uri, folder) as made:
        append(made, [entry(f"{i:02d}") if i % 3 else rejection(f"{i:02d}") for i in range(1, RECORDS + 1)])
    return uri


@pytest.fixture
def copy(written: SqliteUri, tmp_path: Path) -> Path:
    """A copy of the store, with its anchor beside it."""
    for end in ("", ".head"):
        shutil.copy(f"{written.path}{end}", tmp_path / f"audit.db{end}")
    return tmp_path / "audit.db"


def verified(path: Path, *expected: Head, anchor: bool = True) -> Verdict:
    anchored = read_anchor(Path(f"{path}.head")) if anchor else None
    with open_reader(SqliteUri(path)) as reader:
        return verify(reader, expected=expected, anchor=anchored)


def heads(path: Path) -> list[Head]:
    with closing(sqlite3.connect(path)) as connection:
        return [Head(*row) for row in connection.execute("SELECT seq, hash FROM records ORDER BY seq")]


def test_an_intact_store_verifies(copy: Path) -> None:
    found = verified(copy)
    assert (found.fault, found.head, found.withheld) == (None, heads(copy)[-1], 0)
    assert verified(copy, *heads(copy), anchor=False).fault is None
    assert verified(copy, Head(0, found.store_id)).fault is None


CHANGED = "changed: the record does not have its hash"
OUTPUT = "changed: the output is not the one that was recorded"


@pytest.mark.parametrize(
    ("statements", "seq", "words"),
    [
        (["UPDATE records SET body = replace(body, 'clinic-7', 'clinic-8') WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET body = x'' WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET body = 7 WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET hash = upper(hash) WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET hash = 7 WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET hash = x'ff' WHERE seq = 5"], 5, CHANGED),
        (["UPDATE records SET output = replace(output, '0.7', '0.6') WHERE seq = 5"], 5, OUTPUT),
        (["UPDATE records SET output = NULL WHERE seq = 5"], 5, OUTPUT),
        (["UPDATE records SET output = 7 WHERE seq = 5"], 5, OUTPUT),
        (["UPDATE records SET output = x'' WHERE seq = 6"], 6, OUTPUT),  # a rejection has none
        (["DELETE FROM records WHERE seq = 5"], 5, "removed: it is missing"),
        (["DELETE FROM records WHERE seq IN (5, 6, 7, 9)"], 5, "removed: records 5 to 7 are missing"),
        (["DELETE FROM records WHERE seq = 1"], 1, "removed: it is missing"),
        (["DELETE FROM records WHERE seq = 12"], 12, "cut off: records 12 to 12 were there and are not"),
        (["DELETE FROM records WHERE seq > 7"], 8, "cut off: records 8 to 12 were there and are not"),
        (["DELETE FROM records"], 1, "cut off: records 1 to 12 were there and are not"),
        (["DELETE FROM records WHERE seq = 5", "UPDATE records SET seq = seq - 1 WHERE seq > 5"], 5, "reordered"),
        (
            [
                "UPDATE records SET seq = 99 WHERE seq = 5",
                "UPDATE records SET seq = 5 WHERE seq = 8",
                "UPDATE records SET seq = 8 WHERE seq = 99",
            ],
            5,
            "reordered",
        ),
        ([*SHIFT, "INSERT INTO records SELECT 6, body, output, hash FROM records WHERE seq = 5"], 6, "reordered"),
        (["INSERT INTO records SELECT 13, body, output, hash FROM records WHERE seq = 12"], 13, "reordered"),
        (["INSERT INTO records SELECT 0, body, output, hash FROM records WHERE seq = 1"], 1, "inserted"),
        (["UPDATE records SET seq = -3 WHERE seq = 4"], 1, "inserted"),
        (["UPDATE store SET id = replace(id, substr(id, 1, 1), 'x')"], 0, "the anchor is that of another store"),
        (
            [
                "ALTER TABLE records RENAME TO old",
                "CREATE TABLE records (seq, body, output, hash)",
                "INSERT INTO records SELECT * FROM old UNION ALL SELECT * FROM old WHERE seq = 4",
            ],
            5,
            "inserted: there is a second record of an earlier number",
        ),
    ],
)
def test_tampering(copy: Path, statements: list[str], seq: int, words: str) -> None:
    altered(copy, *statements)
    fault = verified(copy).fault
    assert fault is not None
    assert (fault.seq, fault.words[: len(words)]) == (seq, words)


def test_a_changed_store_id_is_found_without_an_anchor_too(copy: Path) -> None:
    altered(copy, f"UPDATE store SET id = '{'ab' * 32}'")
    fault = verified(copy, anchor=False).fault
    assert fault is not None
    assert (fault.seq, fault.words[:9]) == (1, "reordered")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seq=st.integers(1, RECORDS), column=st.sampled_from(["body", "output", "hash"]), data=st.data())
def test_one_bit_anywhere(copy: Path, seq: int, column: str, data: st.DataObject) -> None:
    """Whatever bit of whatever record is turned over, that record is named; turned back, the store verifies."""
    with closing(sqlite3.connect(copy)) as connection:
        (value,) = connection.execute(
            f"SELECT CAST({column} AS BLOB) FROM records WHERE seq = ?", (seq,)
        ).fetchone()
    if value is None:
        return
    at, bit = data.draw(st.integers(0, len(value) - 1)), data.draw(st.integers(0, 7))
    turned = bytes(byte ^ (1 << bit) if i == at else byte for i, byte in enumerate(value))
    kind = "TEXT" if column == "hash" else "BLOB"
    altered(copy, f"UPDATE records SET {column} = CAST(x'{turned.hex()}' AS {kind}) WHERE seq = {seq}")
    fault = verified(copy).fault
    altered(copy, f"UPDATE records SET {column} = CAST(x'{value.hex()}' AS {kind}) WHERE seq = {seq}")
    assert fault == Fault(seq, OUTPUT if column == "output" else CHANGED)
    assert verified(copy).fault is None


def rewritten(path: Path, start: int, **changes: object) -> None:
    """Change a record and every hash after it, as somebody who knows how the chain is made would."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT seq, body FROM records WHERE seq >= ? ORDER BY seq", (start,)).fetchall()
        (before,) = connection.execute("SELECT hash FROM records WHERE seq = ?", (start - 1,)).fetchone()
    for seq, body in rows:
        fields = json.loads(body) | {"before": before} | (changes if seq == start else {})
        made = canonical_json(fields)
        before = sha256(made).hexdigest()
        altered(path, f"UPDATE records SET body = x'{made.hex()}', hash = '{before}' WHERE seq = {seq}")


def test_who_rewrites_the_rest_of_the_chain_is_found_by_a_head_only(copy: Path) -> None:
    known = heads(copy)
    rewritten(copy, 5, caller="somebody")
    assert verified(copy, anchor=False).fault is None, "this is what a chain alone cannot tell"
    words = "rewritten: an expected head has another hash for this record"
    assert verified(copy).fault == Fault(12, words)
    assert verified(copy, known[3], known[7], anchor=False).fault == Fault(8, words)
    assert verified(copy, known[3], anchor=False).fault is None


def test_a_record_whose_own_hash_was_made_anew_is_told_by_the_next_one(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (body,) = connection.execute("SELECT body FROM records WHERE seq = 5").fetchone()
    body = body.replace(b"clinic-7", b"clinic-8")
    altered(copy, f"UPDATE records SET body = x'{body.hex()}', hash = '{sha256(body).hexdigest()}' WHERE seq = 5")
    fault = verified(copy).fault
    assert fault is not None
    assert (fault.seq, fault.words[:9]) == (6, "reordered")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"seq": 1' + b"0" * 5000 + b"}"])
def test_a_record_that_is_none_with_a_hash_that_fits(copy: Path, body: bytes) -> None:
    digest = sha256(body).hexdigest()
    altered(copy, f"UPDATE records SET body = x'{body.hex()}', hash = '{digest}' WHERE seq = 5")
    fault = verified(copy).fault
    assert fault is not None
    assert fault.seq == 5
    assert len(fault.words) < 200


def test_an_expected_head_beyond_the_end(copy: Path) -> None:
    fault = verified(copy, Head(20, "ab" * 32), anchor=False).fault
    assert fault == Fault(13, "cut off: records 13 to 20 were there and are not")


def test_pages_that_were_overwritten(copy: Path) -> None:
    """Below SQLite's own tables: whatever is read of it, nothing crashes and it does not verify."""
    spoilt = bytearray(copy.read_bytes())
    for page in range(3, len(spoilt) // 4096):
        spoilt[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    copy.write_bytes(spoilt)
    try:
        assert verified(copy).fault is not None
    except StoreFailed:
        return


def test_a_store_is_verified_while_it_is_written(tmp_path: Path) -> None:
    uri = SqliteUri(tmp_path / "audit.db")
    with trail(uri, tmp_path) as made:
        append(made, [entry(str(i)) for i in range(100)])
        anchor = read_anchor(Path(f"{uri.path}.head"))
        with open_reader(uri) as reader:
            rows = reader.rows()
            first = next(rows)
            append(made, [entry("later")])
            assert [first.seq, *(row.seq for row in rows)] == list(range(1, 101))
            assert verify(reader, anchor=anchor).fault is None
