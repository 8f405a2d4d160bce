"""A record round-trips whatever its texts hold, and its bytes are canonical JSON."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.canonical import canonical_json
from service.audit.chain import Head, link, read_head
from service.audit.record import OUTCOMES, WITH_OUTPUT, AuditRecord, Caller, Entry, fields_of, read_record
from service.audit.store_uri import SqliteUri
from tests.service.audit.trails import KEY, append, entry, records, rejection, trail

ODD = ["", "\0", "\ud800", "\udc00\ud800", "\ud83d\ude00", "\U0001f600", "a" * 100_000, '"\\\n\u2028', "\x1b[2J"]
texts = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=[]), max_size=40))
times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    outcome = draw(st.sampled_from(OUTCOMES))
    return Entry(
        request_id=draw(texts),
        caller=Caller(draw(texts), draw(texts)),
        pack_id=draw(texts),
        input_digest=draw(texts),
        outcome=outcome,
        codes=tuple(draw(st.lists(texts, max_size=3))),
        output=draw(st.binary(max_size=50)) if outcome in WITH_OUTPUT else None,
        position=draw(st.none() | st.integers(0, 2**40)),
        time=draw(times),
    )


@given(entries(), st.none() | st.integers(1, 2**60))
def test_a_record_is_read_as_it_was_written(given: Entry, withholds: int | None) -> None:
    row = link(Head(6, "ab" * 32), given, "tregcast 0.1.0", withholds)
    assert read_record(row.body, row.output) == AuditRecord(7, "ab" * 32, "tregcast 0.1.0", given, withholds)


@settings(max_examples=25)
@given(st.lists(entries(), min_size=1, max_size=5))
def test_a_record_is_read_as_it_was_written_from_a_real_store(
    tmp_path_factory: pytest.TempPathFactory, many: list[Entry]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    uri = SqliteUri(folder / "audit.db")
    with trail(uri, folder) as made:
        append(made, many)
    assert [record.entry for record in records(uri)] == many


@given(entries())
def test_the_bytes_are_those_of_canonical_json_wherever_that_has_any(given: Entry) -> None:
    body = link(Head(0, "ab" * 32), given, "tregcast 0.1.0").body
    fields = fields_of(body)
    try:
        expected = canonical_json(fields)
    except UnicodeEncodeError:
        return
    assert body == expected


def test_the_chain_by_hand(tmp_path: Path) -> None:
    """Each hash is the sha256 of the bytes; each record holds the one before; outputs stand in by their sha256."""
    uri = SqliteUri(tmp_path / "audit.db")
    with trail(uri, tmp_path) as made:
        append(made, [entry("a"), rejection("b")])
    with closing(sqlite3.connect(uri.path)) as connection:
        (store_id,) = connection.execute("SELECT id FROM store").fetchone()
        rows = connection.execute("SELECT seq, body, output, hash FROM records ORDER BY seq").fetchall()
    first, second = (json.loads(row[1]) for row in rows)
    assert (first["seq"], first["before"], second["seq"]) == (1, store_id, 2)
    assert second["before"] == rows[0][3] == sha256(rows[0][1]).hexdigest()
    assert first["output_sha256"] == sha256(rows[0][2]).hexdigest()
    assert (second["output_sha256"], rows[1][2], second["codes"]) == (None, None, ["missing_unit", "out_of_range"])
    assert set(first) == {
        *("before", "caller", "caller_kind", "codes", "input", "made_by", "outcome", "output_sha256", "pack"),
        *("position", "request", "seq", "time", "withholds"),
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"outcome": "perhaps"},
            "is not one of prediction, prediction_with_cautions, abstained, rejected, unavail",
        ),
        ({"output": None}, "is missing; give the rendered answer"),
        ({"outcome": "rejected"}, "is kept by no trail"),
        ({"outcome": "unavailable"}, "is kept by no trail"),
        ({"time": datetime(2026, 1, 1)}, "not in UTC"),
        ({"time": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, "not in UTC"),
    ],
)
def test_an_entry_that_cannot_be(change: dict[str, object], says: str) -> None:
    known = {"outcome": "prediction", "output": b"{}"} | change
    with pytest.raises(ValueError, match=says):
        Entry("5f1c", Caller("a", "key"), "", "", **known)  # type: ignore[arg-type]


def test_neither_the_output_nor_the_key_is_shown() -> None:
    assert "0.74" not in repr(entry())
    assert repr(KEY) == "InputKey(name='043d75db')"


@pytest.mark.parametrize("text", ["", "7", "7:ab", "07:" + "ab" * 32, "7:" + "AB" * 32, "-1:" + "ab" * 32])
def test_a_head_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not SEQ:HASH"):
        read_head(text)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_bytes_that_are_no_record_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a record"):
        read_record(body, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seq", None), ("seq", True), ("seq", "1"), ("codes", "x"), ("codes", [1]), ("time", "noon"), ("caller", 1)],
)
def test_a_record_with_a_wrong_field_is_a_value_error(field: str, value: object) -> None:
    fields = {**fields_of(link(Head(0, "ab" * 32), entry(), "tregcast 0.1.0").body), field: value}
    with pytest.raises(ValueError, match=r"^not a record"):
        read_record(canonical_json(fields), b"{}")
