"""``tregcast keys``: the key on standard output once, everything else in words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from stat import S_IMODE

import pytest
from click.testing import CliRunner, Result

from cli import main
from service.access.access import Access
from service.access.settings import AccessSettings
from tests.service.access.conftest import header


def run(*arguments: object, store: Path | None = None) -> Result:
    environment = {"TREGCAST_KEYS": None if store is None else str(store)}
    words = ["keys", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def fault(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    return result.stderr


ADD = ("add", "--name", "Ward 7", "--scope", "batch", "--scope", "predict")


def test_add_prints_the_key_and_nothing_else_on_standard_output(store: Path) -> None:
    import time

    result = run(*ADD, "--expires", "30", "--rate", "60/minute", store=store)
    assert result.exit_code == 0
    assert re.fullmatch(r"tregcast_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stdout[18:].strip() not in result.stderr
    assert re.match(
        r"Key [0-9a-f]{8} of Ward 7, until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\. It is shown", result.stderr
    )
    assert S_IMODE(store.stat().st_mode) == 0o600
    access = Access(AccessSettings("keys", store))
    assert access.admit(header(result.stdout.strip()), "batch", time.time()).name == "Ward 7"
    access.close()


def test_list_shows_state_and_no_secret(store: Path) -> None:
    texts = [run(*ADD, "--rate", "60/minute", store=store).stdout.strip() for _ in range(2)]
    run("revoke", texts[0][9:17], store=store)
    shown, as_json = run("list", store=store).stdout, run("list", "--json", store=store).stdout
    rows = {line.split()[0]: line for line in shown.splitlines()}
    assert shown.split()[:8] == ["ID", "STATE", "SCOPES", "RATE", "CREATED", "EXPIRES", "REVOKED", "NAME"]
    assert rows[texts[0][9:17]].split()[1:4] == ["revoked", "predict,batch", "60/minute"]
    assert rows[texts[1][9:17]].split()[1] == "active"
    found = {key["id"]: key for key in json.loads(as_json)}
    assert set(found) == {text[9:17] for text in texts}
    assert list(found[texts[0][9:17]]) == [
        "id", "name", "state", "scopes", "per_minute", "created", "expires", "revoked"
    ]  # fmt: skip
    assert found[texts[0][9:17]]["state"] == "revoked"
    assert found[texts[1][9:17]]["revoked"] is None
    assert found[texts[1][9:17]]["scopes"] == ["predict", "batch"]
    for text in texts:
        assert text[18:] not in shown + as_json


def test_revoke_says_what_it_did(store: Path) -> None:
    key_id = run(*ADD, store=store).stdout[9:17]
    assert run("revoke", key_id, store=store).stdout == f"{key_id} of Ward 7 is revoked\n"
    assert run("revoke", key_id, store=store).stdout.startswith(f"{key_id} of Ward 7 was revoked before, at 2")
    assert "there is no key of this id" in fault(run("revoke", "0000000x", store=store))


def test_everything_that_is_wrong_with_a_key_is_said_at_once(store: Path) -> None:
    text = fault(run("add", "--name", "a\x07", "--scope", "x", "--scope", "y", "--expires", "-1", "--rate", "9"))
    assert [line.removeprefix("Error: ").split()[0] for line in text.splitlines()] == [
        "--name", "--scope", "--scope", "--expires", "--rate", "--store"
    ]  # fmt: skip
    assert len(fault(run("add", store=store)).splitlines()) == 2
    assert not store.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--expires", v) for v in ("0", "3651", "1.5", "", "٣", "1e3")]
    + [("--rate", v) for v in ("0/minute", "1000001/minute", "60", "60/hour", "/minute", "1 /minute", "")]
    + [("--name", v) for v in ("", "  ", "a" * 81, "a\nb")],
)
def test_options_that_are_refused(store: Path, option: str, value: str) -> None:
    text = fault(run(*ADD, option, value, store=store))
    assert text.startswith(f"Error: {option} = ")
    assert not store.exists()


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["revoke", "00000000"]], ids=" ".join)
def test_no_store(store: Path, command: list[str]) -> None:
    assert "it is missing" in fault(run(*command, store=store))
    assert "--store is required" in fault(run(*command))
    assert not store.exists()


@pytest.mark.parametrize("command", [[], ["add"], ["list"], ["revoke"]], ids=" ".join)
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
