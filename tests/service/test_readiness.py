"""Ready means that somebody can be answered: what is in the way ends the start, or /readyz and stdout say it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from model.pack import Refused
from service.held_pack import HeldPack
from service.metrics.codes import SWAP_PROBLEMS
from service.pack_access import refuse_writable
from tests.service.audit.trails import until
from tests.service.conftest import Launcher
from tests.service.metrics.scraped import scrape
from tests.service.running import begin


def tregcast(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    keys, key = tmp_path / "keys.db", tmp_path / "audit.key"
    tregcast("keys", "add", "--name", "w", "--scope", "predict", "--store", keys)
    tregcast("audit", "key", key)
    return {
        "TREGCAST_AUTH": "keys",
        "TREGCAST_KEYS": str(keys),
        "TREGCAST_AUDIT": f"sqlite:///{tmp_path / 'audit.db'}",
        "TREGCAST_AUDIT_KEY": str(key),
    }


def jwk_set(private: bool) -> bytes:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from jwt.algorithms import RSAAlgorithm

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    found = RSAAlgorithm.to_jwk(made if private else made.public_key(), as_dict=True)
    return json.dumps({"keys": [{**found, "kid": "1"}]}).encode()


def bearer(settings: dict[str, str], folder: Path, content: bytes | None, mode: int = 0o644) -> dict[str, str]:
    place = folder / "jwks.json"
    if content is not None:
        place.write_bytes(content)
        place.chmod(mode)
    audit = {name: value for name, value in settings.items() if "AUDIT" in name}
    named = {"TREGCAST_JWKS": str(place), "TREGCAST_ISSUERS": "https://i", "TREGCAST_AUDIENCES": "t"}
    return {**audit, "TREGCAST_AUTH": "bearer", **named}


def spoilt(settings: dict[str, str], name: str, deed: Callable[[Path], object]) -> dict[str, str]:
    deed(Path(settings[name].removeprefix("sqlite:///")))
    return settings


def page_overwritten(path: Path) -> None:
    """A SQLite file of which the page of a table is noise."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    data = bytearray(path.read_bytes())
    page = len(data) // pages
    data[page : 2 * page] = b"\xff" * page
    path.write_bytes(data)


NEVER_READY: dict[str, tuple[Callable[[dict[str, str], Path], dict[str, str]], str]] = {
    "no key store": (lambda known, _: spoilt(known, "TREGCAST_KEYS", Path.unlink), "it is missing"),
    "a key store that is text": (
        lambda known, _: spoilt(known, "TREGCAST_KEYS", lambda path: path.write_bytes(b"keys: none\n" * 99)),
        "it is not a store of keys",
    ),
    "an empty key store": (
        lambda known, _: spoilt(known, "TREGCAST_KEYS", lambda path: path.write_bytes(b"")),
        "it is not a store of keys of this version",
    ),
    "a key store with a spoilt page": (
        lambda known, _: spoilt(known, "TREGCAST_KEYS", page_overwritten),
        "it is not a store of keys",
    ),
    "a key store that all may write": (
        lambda known, _: spoilt(known, "TREGCAST_KEYS", lambda path: path.chmod(0o666)),
        "other users may write it",
    ),
    "no key set": (lambda known, folder: bearer(known, folder, None), "there is no such file"),
    "a private key": (lambda known, folder: bearer(known, folder, jwk_set(True)), "it holds a private key"),
    "a key set without keys": (lambda known, folder: bearer(known, folder, b'{"keys": []}'), "it has no RSA key"),
    "a key set that all may write": (
        lambda known, folder: bearer(known, folder, jwk_set(False), 0o666),
        "other users may write it",
    ),
    "an audit file that is no database": (
        lambda known, _: spoilt(known, "TREGCAST_AUDIT", lambda path: path.write_bytes(b"dear diary\n" * 999)),
        "the audit store is no database",
    ),
    "an audit key that all may write": (
        lambda known, _: spoilt(known, "TREGCAST_AUDIT_KEY", lambda path: path.chmod(0o666)),
        "other users may write it",
    ),
    "no audit key": (lambda known, _: spoilt(known, "TREGCAST_AUDIT_KEY", Path.unlink), "cannot be read"),
    "a deadline in which nothing can be recorded": (
        lambda known, _: {**known, "TREGCAST_AUDIT_DEADLINE": "0.001"},
        "is not a number of seconds from 0.05 to 60",
    ),
    "a pattern that is none": (
        lambda known, _: {**known, "TREGCAST_REFERENCE_PATTERN": "P-["},
        "is not a regular expression",
    ),
}


@pytest.mark.parametrize("what", NEVER_READY)
def test_it_does_not_start_with_exit_code_2(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, settings: dict[str, str], what: str
) -> None:
    change, says = NEVER_READY[what]
    process, output = launcher.command(pack_folder, **change(dict(settings), tmp_path))
    assert process.wait(40) == 2, output.read_text("utf-8")
    said = output.read_text("utf-8")
    assert "Tregcast does not start: TREGCAST_" in said
    assert says in said
    assert "ready on" not in said


def readyz(url: str) -> httpx.Response:
    return httpx.get(f"{url}/readyz", timeout=20, trust_env=False)


def in_the_way(url: str) -> list[tuple[str, str]]:
    answer = readyz(url)
    if answer.status_code == 200:
        return []
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    return [(problem["field"], problem["code"]) for problem in answer.json()["problems"]]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_breaks_while_it_runs_is_said_and_what_is_mended_too(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, settings: dict[str, str], workers: str
) -> None:
    running = begin(launcher, pack_folder, "--workers", workers, **settings)
    assert in_the_way(running.url) == []
    keys, trail = tmp_path / "keys.db", tmp_path / "audit.db"
    keys.chmod(0o666)
    until(lambda: in_the_way(running.url) == [("keys", "unusable")])
    until(lambda: "Tregcast is not ready on " in running.output.read_text("utf-8"))
    assert "the store of keys cannot be used: other users may write it" in running.output.read_text("utf-8")
    for admin in running.admin:
        samples = scrape(admin)
        assert samples["tregcast_ready", frozenset()] == 0
        assert samples["tregcast_trouble", frozenset({("part", "keys")})] == 1
    trail.chmod(0o666)
    until(lambda: in_the_way(running.url) == [("audit", "others_may_write"), ("keys", "unusable")])
    keys.chmod(0o600)
    trail.chmod(0o600)
    until(lambda: in_the_way(running.url) == [])
    until(lambda: running.output.read_text("utf-8").count("Tregcast is ready on ") == 2)
    assert running.log("not_ready")
    assert running.log("ready")


def test_without_a_valid_key_nobody_can_be_answered(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, settings: dict[str, str]
) -> None:
    """It starts, says so, and is ready when a key is added."""
    keys = tmp_path / "admins.db"
    tregcast("keys", "add", "--name", "op", "--scope", "admin", "--store", keys)
    process, output = launcher.command(pack_folder, **{**settings, "TREGCAST_KEYS": str(keys)})
    line = launcher.await_line(process, output, "Tregcast is not ready on ")
    assert "the store of keys has no valid key with the scope predict or batch" in line
    url = line.split()[5].rstrip(":")
    assert in_the_way(url) == [("keys", "no_valid_key")]
    tregcast("keys", "add", "--name", "w", "--scope", "batch", "--store", keys)
    launcher.await_line(process, output, "Tregcast is ready on ")
    assert readyz(url).status_code == 200


def test_an_audit_folder_that_is_not_there_yet(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, settings: dict[str, str], record: dict[str, Any]
) -> None:
    later = tmp_path / "mounted-later"
    process, output = launcher.command(pack_folder, **{**settings, "TREGCAST_AUDIT": f"sqlite:///{later}/audit.db"})
    line = launcher.await_line(process, output, "Tregcast is not ready on ")
    assert "the audit store is missing, or its folder is" in line
    assert in_the_way(line.split()[5].rstrip(":")) == [("audit", "filenotfounderror")]
    later.mkdir()
    launcher.await_line(process, output, "Tregcast is ready on ")
    assert record


def test_one_of_two_ways_to_know_callers_is_enough_and_the_other_is_said(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, settings: dict[str, str]
) -> None:
    known = {**settings, **bearer(settings, tmp_path, jwk_set(False)), "TREGCAST_AUTH": "keys+bearer"}
    running = begin(launcher, pack_folder, **known)
    (tmp_path / "keys.db").unlink()
    until(lambda: "troubles" in readyz(running.url).json())
    answer = readyz(running.url)
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["troubles"] == [
        {"part": "keys", "code": "unusable", "rule": "the store of keys cannot be used: it is missing"}
    ]


def test_a_pack_that_others_may_write_is_no_pack(pack_folder: Path, tmp_path: Path, launcher: Launcher) -> None:
    copy = tmp_path / "packs" / "pack"
    shutil.copytree(pack_folder, copy)
    for path, mode, says in (
        (copy, 0o777, "the folder: other users may write it; chmod -R go-w"),
        (copy, 0o775, "the folder: other users may write it"),
        (copy / "model.json", 0o666, "model.json: other users may write it"),
        (copy / "manifest.json", 0o664, "manifest.json: other users may write it"),
        (copy.parent, 0o777, "the folder above it: other users may write it; chmod o-w"),
    ):
        before = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(Refused) as caught:
            refuse_writable(copy)
        assert (caught.value.code, str(caught.value)[: len(says)]) == ("writable_by_others", says)
        path.chmod(before)
    refuse_writable(copy)
    copy.parent.chmod(0o1777)  # sticky, as /tmp: others may add, and not replace
    refuse_writable(copy)
    copy.chmod(0o777)
    process, output = launcher.command(copy)
    assert process.wait(40) == 3
    assert "other users may write it; chmod -R go-w" in output.read_text("utf-8")


def test_a_pack_opened_to_others_while_it_answers_is_told_and_goes_on(pack_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "pack"
    shutil.copytree(pack_folder, copy)
    held = HeldPack(copy, lambda _: None)
    held.start()
    copy.chmod(0o777)
    until(lambda: held.problem == "writable_by_others")
    assert "writable_by_others" in SWAP_PROBLEMS
    copy.chmod(0o755)
    until(lambda: held.problem is None)
    held.stop()


def test_references_have_the_form_of_the_site(
    pack_folder: Path, launcher: Launcher, record: dict[str, Any]
) -> None:
    running = begin(launcher, pack_folder, TREGCAST_REFERENCE_PATTERN="P-[0-9]{4}")
    with httpx.Client(base_url=running.url, timeout=20, trust_env=False) as client:
        good = client.post("/v1/predict", json={**record, "reference": "P-0042"})
        assert (good.status_code, good.json()["reference"]) == (200, "P-0042")
        for reference in ("Mary Smith", "P-00421", " P-0042", "p-0042", "P-0042\n", "19550312-1234", ""):
            bad = client.post("/v1/predict", json={**record, "reference": reference, "sex": "f"})
            codes = [(problem["field"], problem["code"]) for problem in bad.json()["problems"]]
            assert (bad.status_code, len(codes)) == (422, 2)  # with every other problem of the record
            if reference.isprintable():
                assert ("reference", "reference_pattern") in codes
                assert reference in next(p["value"] for p in bad.json()["problems"] if p["field"] == "reference")
        assert client.post("/v1/predict", json=record).status_code == 200  # none is needed
        batch = client.post("/v1/predict/batch", json={"records": [{**record, "reference": "Mary Smith"}, record]})
        answers = batch.json()["answers"]
        assert [answer["outcome"] == "rejected" for answer in answers] == [True, False]
        assert answers[0]["reference"] is None
        asked = {"record": {**record, "reference": "Mary Smith"}, "vary": {"crp": {"from": 1, "to": 2, "steps": 2}}}
        whatif = client.post("/v1/whatif", json=asked).json()["problems"]
        assert "reference_pattern" in [problem["code"] for problem in whatif]
        metrics = httpx.get(f"{running.admin[0]}/metrics", trust_env=False).text
    time.sleep(0.2)
    assert 'rule="reference_pattern"' in metrics
    assert "Mary Smith" not in running.output.read_text("utf-8") + metrics
