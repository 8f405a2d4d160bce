"""The command: exit codes, what it says, and nothing that a text in a record could do to a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from service.audit.record import Caller
from service.audit.store_uri import SqliteUri
from tests.service.audit.trails import altered, append, entry, records, rejection, trail


def run(*arguments: object, **environment: str) -> Result:
    known: dict[str, str | None] = {"TREGCAST_AUDIT": None, "TREGCAST_AUDIT_ANCHOR": None, **environment}
    words = ["audit", *map(str, arguments)]
    return CliRunner().invoke(main, words, catch_exceptions=False, env=known)


@pytest.fixture
def uri(tmp_path: Path) -> SqliteUri:
    found = SqliteUri(tmp_path / "audit.db")
    with trail(found, tmp_path) as made:
        for name in "abcde":
            append(made, [rejection(name) if name == "b" else entry(name)])
    return found


def test_an_intact_store(uri: SqliteUri) -> None:
    result = run("verify", "--store", f"sqlite:///{uri.path}")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("verified: 5 records; held to 5:")
    head = second.removeprefix("head ")
    assert run("verify", "--expect-head", head, TREGCAST_AUDIT=f"sqlite:///{uri.path}").exit_code == 0
    found = json.loads(run("verify", "--json", "--store", f"sqlite:///{uri.path}").stdout)
    assert (found["verified"], found["head"], found["held_to"], found["fault"]) == (True, head, [head], None)


def test_a_store_that_was_tampered_with(uri: SqliteUri) -> None:
    altered(uri.path, "DELETE FROM records WHERE seq = 3")
    result = run("verify", "--store", f"sqlite:///{uri.path}")
    assert result.exit_code == 1
    assert result.stdout == "NOT VERIFIED. Record 3: removed: it is missing.\nThe 2 records before it verify.\n"
    result = run("verify", "--store", f"sqlite:///{uri.path}", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["fault"] == {"seq": 3, "words": "removed: it is missing"}


def test_a_cut_off_end_needs_a_head(uri: SqliteUri, tmp_path: Path) -> None:
    head = run("verify", "--store", f"sqlite:///{uri.path}").stdout.splitlines()[1].removeprefix("head ")
    altered(uri.path, "DELETE FROM records WHERE seq = 5")
    Path(f"{uri.path}.head").rename(tmp_path / "elsewhere")
    plain = run("verify", "--store", f"sqlite:///{uri.path}")
    assert plain.exit_code == 0
    assert "whether its end was cut off cannot be told" in plain.stdout
    for option in (["--expect-head", head], ["--anchor", tmp_path / "elsewhere"]):
        result = run("verify", "--store", f"sqlite:///{uri.path}", *option)
        assert result.exit_code == 1
        assert "Record 5: cut off: records 5 to 5 were there and are not." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify"], "there is no store; give --store, or set TREGCAST_AUDIT"),
        (["show"], "there is no store"),
        (["verify", "--store", "audit.db"], "--store is not a store; set sqlite:///FILE"),
        (["verify", "--store", "sqlite:////nowhere/audit.db"], "unable to open database file"),
        (["verify", "--store", "sqlite:///HERE", "--expect-head", "7"], "'7' is not SEQ:HASH"),
        (["verify", "--store", "sqlite:///HERE", "--anchor", "/nowhere/x"], "/nowhere/x: there is no anchor"),
        (["verify", "--store", "sqlite:///EMPTY"], "no such table"),
        (["verify", "--store", "sqlite:///TEXT"], "file is not a database"),
        (["show", "--store", "sqlite:///HERE", "--from", "noon"], "--from 'noon' is not a time; give one like"),
    ],
)
def test_what_cannot_be_opened_is_exit_code_2(
    uri: SqliteUri, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello " * 1000, "utf-8")
    places = {"HERE": uri.path, "EMPTY": tmp_path / "empty", "TEXT": tmp_path / "text"}
    for name, path in places.items():
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_show_finds_a_request_and_a_span_of_time(uri: SqliteUri) -> None:
    store = ("--store", f"sqlite:///{uri.path}")
    assert len(run("show", *store).stdout.splitlines()) == 5
    (line,) = run("show", *store, "--request-id", "b").stdout.splitlines()
    assert 'request "b"  caller "clinic-7" ("key")  rejected "missing_unit" "out_of_range"' in line
    times = [record.entry.time for record in records(uri)]
    found = run("show", *store, "--from", times[1].isoformat(), "--to", times[3].isoformat(), "--json").stdout
    assert [json.loads(line)["request"] for line in found.splitlines()] == ["b", "c"]
    naive = times[3].replace(tzinfo=None).isoformat()
    assert len(run("show", *store, "--from", naive).stdout.splitlines()) == 2
    shown = json.loads(run("show", *store, "--request-id", "a", "--json").stdout)
    assert json.loads(shown["output"])["progression_rate"] == 0.7415357401187066


def test_no_text_of_a_record_speaks_to_the_terminal(tmp_path: Path) -> None:
    uri = SqliteUri(tmp_path / "audit.db")
    odd = entry("\x1b[2J\ud800\0")
    object.__setattr__(odd, "caller", Caller("\x1b]0;title\x07", "\n\r"))
    with trail(uri, tmp_path) as made:
        append(made, [odd])
    for options in ([], ["--json"]):
        out = run("show", "--store", f"sqlite:///{uri.path}", *options).stdout
        assert out.count("\n") == 1
        assert out.rstrip("\n").isprintable()


def test_a_record_that_cannot_be_read_is_one_message(uri: SqliteUri) -> None:
    altered(uri.path, "UPDATE records SET body = x'00' WHERE seq = 3")
    result = run("show", "--store", f"sqlite:///{uri.path}")
    assert result.exit_code == 2
    assert "record 3 cannot be read; run `tregcast audit verify`" in result.stderr


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    made = run("key", tmp_path / "key")
    assert made.exit_code == 0
    assert "keep it secret" in made.stdout
    kept = (tmp_path / "key").read_bytes()
    assert kept.hex() not in made.stdout
    again = run("key", tmp_path / "key")
    assert (again.exit_code, again.stdout) == (2, "")
    assert (tmp_path / "key").read_bytes() == kept
    assert "cannot be written" in run("key", tmp_path / "no" / "key").stderr
