"""Pruning, exporting and the nightly run: the chain stays verifiable, and nothing of a patient leaves unasked."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from service.audit.chain import Head
from service.audit.store_uri import PostgresUri, SqliteUri, StoreUri, open_reader, open_store
from service.audit.upkeep import ROWS_AT_ONCE, Tool
from service.audit.verify import Verdict, verify
from tests.service.audit.trails import (
    KEY,
    MADE_BY,
    ROOT,
    altered,
    append,
    entry,
    postgres_uri,
    rejection,
    request_ids,
    trail,
    until,
)

pytestmark = pytest.mark.xdist_group("postgres")
OLD = datetime(2025, 3, 1, tzinfo=UTC)
BEFORE = datetime(2025, 6, 1, tzinfo=UTC)
NAMES = [f"{number:02d}" for number in range(12)]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "audit.key"
    path.write_bytes(KEY.secret)
    return path


def filled(uri: StoreUri, folder: Path) -> None:
    """Seven records of before the date and five of after it; each with a reference but for one."""
    with trail(uri, folder) as made:
        for number, name in enumerate(NAMES):
            time = OLD + timedelta(days=number if number < 7 else 200 + number)
            output = json.dumps({"outcome": "prediction", "reference": f"P-{number:04d}"}).encode()
            said = rejection(name) if number == 3 else entry(name, output=output)
            append(made, [replace(said, time=time)])


@pytest.fixture
def uri(tmp_path: Path) -> SqliteUri:
    (tmp_path / "store").mkdir()
    found = SqliteUri(tmp_path / "store" / "audit.db")
    filled(found, tmp_path)
    return found


def run(*words: object, key: Path | None = None, uri: SqliteUri | None = None) -> Result:
    known: dict[str, str | None] = {"TREGCAST_AUDIT_ANCHOR": None}
    known["TREGCAST_AUDIT"] = None if uri is None else f"sqlite:///{uri.path}"
    known["TREGCAST_AUDIT_KEY"] = None if key is None else str(key)
    return CliRunner().invoke(main, ["audit", *map(str, words)], catch_exceptions=False, env=known)


def verified(uri: StoreUri, *expected: Head) -> Verdict:
    with open_reader(uri) as reader:
        return verify(reader, expected=expected, key=KEY)


def head_at(uri: SqliteUri, seq: int) -> Head:
    with closing(sqlite3.connect(uri.path)) as connection:
        return Head(*connection.execute("SELECT seq, hash FROM records WHERE seq = ?", (seq,)).fetchone())


def test_pruned_records_are_gone_and_the_chain_verifies(uri: SqliteUri, key_file: Path) -> None:
    kept, pruned, early = head_at(uri, 10), head_at(uri, 7), head_at(uri, 2)
    result = run("prune", "--before", "2025-06-01", key=key_file, uri=uri)
    assert (result.exit_code, result.stdout) == (0, "pruned: 7 records before 2025-06-01T00:00:00+00:00\n")
    assert request_ids(uri) == NAMES[7:]
    said = run("verify", "--expect-head", kept, "--expect-head", early, key=key_file, uri=uri).stdout.splitlines()
    assert said[0].startswith("verified: 6 records; held to 10:")
    assert said[0].endswith(f"They follow {pruned}, up to which all were pruned.")
    assert said[2] == f"not held to {early}: it is pruned"
    assert said[3] == f"note: record 13: 7 records up to {pruned} were pruned"
    assert run("prune", "--before", "2025-06-01", key=key_file, uri=uri).stdout.startswith("pruned: 0 records")
    assert verified(uri, pruned).fault is None
    wrong = verified(uri, Head(7, "ab" * 32)).fault
    assert wrong is not None
    assert wrong.words.startswith("rewritten: an expected head has another hash")


def test_nothing_of_a_pruned_record_is_left_in_the_file(uri: SqliteUri, key_file: Path) -> None:
    assert b"P-0005" in uri.path.read_bytes()
    run("prune", "--before", "2025-06-01", key=key_file, uri=uri)
    assert {path.name for path in uri.path.parent.iterdir()} == {"audit.db", "audit.db.head"}
    assert b"P-0005" not in uri.path.read_bytes()
    assert b"P-0008" in uri.path.read_bytes()


def test_records_that_somebody_removed_are_not_pruned_records(uri: SqliteUri, key_file: Path) -> None:
    altered(uri.path, "DELETE FROM records WHERE seq <= 3")
    result = run("verify", key=key_file, uri=uri)
    assert (result.exit_code, result.stdout) == (
        1,
        "NOT VERIFIED. Record 1: removed: records 1 to 3 are missing.\n",
    )


def test_more_than_the_checkpoint_says_is_a_fault(uri: SqliteUri, key_file: Path) -> None:
    run("prune", "--before", "2025-06-01", key=key_file, uri=uri)
    altered(uri.path, "DELETE FROM records WHERE seq = 8")
    fault = verified(uri).fault
    assert fault is not None
    assert (fault.seq, fault.words) == (1, "removed: records 1 to 8 are missing")


def test_a_checkpoint_needs_the_key(uri: SqliteUri, tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.key"
    nobody.write_bytes(bytes(range(100, 140)))
    assert run("prune", "--before", "2025-06-01", uri=uri).stderr.startswith("Error: there is no key to sign with")
    run("prune", "--before", "2025-06-01", key=nobody, uri=uri)
    said = verified(uri)
    assert "its signature was not checked" in said.notes[0].words
    altered(uri.path, "UPDATE records SET body = replace(body, '\"records\":7', '\"records\":3') WHERE seq = 13")
    fault = verified(uri).fault
    assert fault is not None
    assert fault.words == "removed: records 1 to 7 are missing"  # for nothing speaks for them any more


def test_a_service_goes_on_while_it_is_pruned(uri: SqliteUri, tmp_path: Path) -> None:
    """A trail believes the checkpoints of its own key, and goes on from the head that it knows."""
    with trail(uri, tmp_path) as made:
        append(made, [entry("running")])
        assert sum(Tool(open_store(uri), None, KEY, MADE_BY).prune(BEFORE)) == 7
        append(made, [entry("after")])
        assert made.problem is None
        sum(Tool(open_store(uri), None, KEY, MADE_BY).prune(datetime.now(UTC)))
        append(made, [entry("last")])
        assert made.problem is None
    assert request_ids(uri)[-1] == "last"
    assert verified(uri).fault is None


def test_what_was_the_last_record_stays(uri: SqliteUri, tmp_path: Path) -> None:
    assert sum(Tool(open_store(uri), None, KEY, MADE_BY).prune(datetime.now(UTC))) == 11
    assert request_ids(uri) == ["11"]
    with trail(uri, tmp_path) as made:
        append(made, [entry("next")])
    assert verified(uri).fault is None


def test_pruning_does_not_hide_a_restore(uri: SqliteUri, tmp_path: Path, key_file: Path) -> None:
    """Put back to the pruned copy, a trail that has seen more refuses it as any other."""
    run("prune", "--before", "2025-06-01", key=key_file, uri=uri)
    shutil.copytree(uri.path.parent, tmp_path / "copy")
    with trail(uri, tmp_path, deadline=0.5) as made:
        append(made, [entry("lost")])
        for path in list(uri.path.parent.iterdir()):
            path.unlink()
        for path in (tmp_path / "copy").iterdir():
            shutil.copy2(path, uri.path.parent / path.name)
        until(lambda: made.problem == "CUT_OFF")


def test_many_records_are_pruned_in_steps_that_each_verify(tmp_path: Path) -> None:
    uri = SqliteUri(tmp_path / "many.db")
    with trail(uri, tmp_path) as made:
        many = [replace(entry(str(number), output=b"{}"), time=OLD) for number in range(2 * ROWS_AT_ONCE + 50)]
        append(made, many, [entry("now")])
    for step in Tool(open_store(uri), None, KEY, MADE_BY).prune(BEFORE):
        assert step in (ROWS_AT_ONCE, 50)
        assert verified(uri).fault is None
    assert request_ids(uri) == ["now"]


def test_a_postgres_store_is_pruned(tmp_path: Path, postgres: Callable[[str], str]) -> None:
    uri: PostgresUri = postgres_uri(postgres("audit_pruned"))
    filled(uri, tmp_path)
    with trail(uri, tmp_path) as made:
        append(made, [entry("running")])
        store = open_store(uri)
        assert sum(Tool(store, None, KEY, MADE_BY).prune(BEFORE)) == 7
        store.close()
        append(made, [entry("after")])
    assert request_ids(uri) == [*NAMES[7:], "running", "after"]
    assert verified(uri).fault is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["prune", "--before", "2999-01-01"], "--before 2999-01-01 lies in the future"),
        (["prune", "--before", "spring"], "--before 'spring' is not a time"),
        (["accept", "--reason", " "], "--reason is empty"),
        (["accept", "--reason", "r", "--known", "7"], "'7' is not SEQ:HASH"),
        (["accept", "--reason", "r"], "nothing is lost"),
        (["export", "--from", "noon"], "--from 'noon' is not a time"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(uri: SqliteUri, key_file: Path, words: list[str], says: str) -> None:
    result = run(*words, key=key_file, uri=uri)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert request_ids(uri) == NAMES


def test_an_export_has_a_line_a_record_and_no_answer(uri: SqliteUri, key_file: Path) -> None:
    run("prune", "--before", "2025-03-03", key=key_file, uri=uri)
    lines = [json.loads(line) for line in run("export", uri=uri).stdout.splitlines()]
    assert [(line["seq"], line["type"]) for line in lines] == [
        *((seq, "answer") for seq in range(3, 13)),
        (13, "note"),
    ]
    assert all("output" not in line for line in lines)
    assert "P-00" not in run("export", uri=uri).stdout
    assert (lines[1]["outcome"], lines[1]["codes"]) == ("rejected", ["missing_unit", "out_of_range"])
    assert [line["hash"] for line in lines[:-1]] == [line["before"] for line in lines[1:]]
    assert [json.loads(line)["seq"] for line in run("export", "--after", 11, uri=uri).stdout.splitlines()] == [
        12,
        13,
    ]
    some = run(
        "export", "--from", "2025-03-04", "--to", "2025-03-06", "--with-answers", uri=uri
    ).stdout.splitlines()
    assert [json.loads(line)["request"] for line in some] == ["03", "04"]
    assert json.loads(json.loads(some[1])["output"])["reference"] == "P-0004"


def test_show_finds_a_reference_and_shows_notes(uri: SqliteUri, key_file: Path) -> None:
    (line,) = run("show", "--reference", "P-0009", uri=uri).stdout.splitlines()
    assert 'request "09"' in line
    run("prune", "--before", "2025-06-01", key=key_file, uri=uri)
    assert run("show", "--reference", "P-0001", uri=uri).stdout == ""
    last = run("show", uri=uri).stdout.splitlines()[-1]
    assert "note checkpoint" in last
    assert json.loads(run("show", "--json", uri=uri).stdout.splitlines()[-1])["details"]["records"] == 7


def nightly(uri: SqliteUri, heads: Path, key_file: Path) -> subprocess.CompletedProcess[str]:
    programs = heads.parent / "bin"
    programs.mkdir(exist_ok=True)
    command = programs / "tregcast"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n', "utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    known = {
        "PATH": f"{programs}:{os.defpath}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(heads.parent),
        "TREGCAST_AUDIT": f"sqlite:///{uri.path}",
        "TREGCAST_AUDIT_KEY": str(key_file),
        "TREGCAST_HEADS": str(heads),
    }
    script = ROOT / "deploy" / "schedule" / "audit-nightly.sh"
    return subprocess.run([script], env=known, capture_output=True, text=True, check=False)


def test_the_nightly_run_finds_a_trail_that_was_put_back_anchor_and_all(
    uri: SqliteUri, tmp_path: Path, key_file: Path
) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    shutil.copytree(uri.path.parent, tmp_path / "copy")
    with trail(uri, tmp_path) as made:
        append(made, [entry("lost")])
    assert run("prune", "--before", "2025-06-01", key=key_file, uri=uri).exit_code == 0
    done = nightly(uri, heads, key_file)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("note: record 14: 7 records up to 7:")
    assert (heads / "audit-heads.txt").read_text("utf-8").split()[1].startswith("14:")
    again = nightly(uri, heads, key_file)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")  # each note is told once
    for path in (tmp_path / "copy").iterdir():
        shutil.copy2(path, uri.path.parent / path.name)
    assert run("verify", key=key_file, uri=uri).exit_code == 0, "store and anchor fit each other"
    done = nightly(uri, heads, key_file)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Record 13: cut off: records 13 to 14 were there and are not." in done.stderr
    assert len((heads / "audit-heads.txt").read_text("utf-8").splitlines()) == 2
