"""Real servers whose audit trail is put back from a copy while they run, of one worker and of two."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from cli import main
from tests.service.audit.trails import postgres_uri, until
from tests.service.conftest import Launcher
from tests.service.metrics.scraped import scrape
from tests.service.running import Running, begin

pytestmark = pytest.mark.xdist_group("postgres")


def tregcast(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def ask(url: str, record: dict[str, Any], headers: dict[str, str]) -> int:
    return httpx.post(f"{url}/v1/predict", json=record, headers=headers, timeout=20, trust_env=False).status_code


def ready(url: str) -> httpx.Response:
    return httpx.get(f"{url}/readyz", timeout=20, trust_env=False)


class Guarded:
    """Settings of a service with keys and a trail, and headers of a key."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        (folder / "store").mkdir()
        self.file = folder / "store" / "audit.db"
        self.store = store or f"sqlite:///{self.file}"
        self.key = folder / "audit.key"
        keys = folder / "keys.db"
        text = tregcast("keys", "add", "--name", "w", "--scope", "predict", "--store", keys).strip()
        tregcast("audit", "key", self.key)
        self.headers = {"authorization": f"Bearer {text}"}
        self.settings = {
            "TREGCAST_AUTH": "keys",
            "TREGCAST_KEYS": str(keys),
            "TREGCAST_AUDIT": self.store,
            "TREGCAST_AUDIT_KEY": str(self.key),
        }

    def verify(self) -> dict[str, Any]:
        words = ("audit", "verify", "--store", self.store, "--key", self.key, "--json")
        return dict(json.loads(tregcast(*words)))


def refused_with_reason(running: Running, guarded: Guarded, record: dict[str, Any]) -> str:
    """The lost head, once every worker says that records are gone, and gives no answer."""
    for url in [running.url, *running.admin]:
        until(lambda url=url: ready(url).status_code == 503, 15)
        assert ask(url, record, guarded.headers) == 503
        (problem,) = ready(url).json()["problems"]
        assert (problem["code"], problem["field"]) == ("cut_off", "audit")
        assert "does not hold record 9:" in problem["rule"]
        samples = scrape(running.admin[0])
    assert samples["tregcast_ready", frozenset()] == 0
    assert samples["tregcast_trouble", frozenset({("part", "audit")})] == 1
    until(lambda: "Tregcast is not ready on " in running.output.read_text("utf-8"))
    said = next(line for line in running.log("audit_unavailable") if "known" in line)
    assert (said["exception"], said["found"].partition(":")[0]) == ("CUT_OFF", "5")
    assert [line["problem"] for line in running.log("not_ready")] == ["audit"] * len(running.admin)
    return str(said["known"])


@pytest.mark.parametrize("workers", [1, 2])
def test_nine_answers_and_a_copy_of_five(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, record: dict[str, Any], workers: int
) -> None:
    guarded = Guarded(tmp_path)
    running = begin(launcher, pack_folder, "--workers", str(workers), **guarded.settings)
    assert [ask(running.url, record, guarded.headers) for _ in range(5)] == [200] * 5
    tregcast("audit", "verify", "--store", guarded.store)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.process.wait(20) == 0
    shutil.copytree(guarded.file.parent, tmp_path / "copy")

    running = begin(launcher, pack_folder, "--workers", str(workers), **guarded.settings)
    assert [ask(running.url, record, guarded.headers) for _ in range(4)] == [200] * 4
    for path in list(guarded.file.parent.iterdir()):
        path.unlink()
    for path in (tmp_path / "copy").iterdir():
        shutil.copy2(path, guarded.file.parent / path.name)
    lost = refused_with_reason(running, guarded, record)

    accept = ("audit", "accept", "--store", guarded.store, "--key", guarded.key, "--known", lost)
    assert tregcast(*accept, "--reason", "restored").startswith("accepted: the chain goes on after 5:")
    until(lambda: ready(running.url).status_code == 200, 15)
    assert ask(running.url, record, guarded.headers) == 200
    found = guarded.verify()
    assert (found["verified"], found["head"].partition(":")[0]) == (True, "7")
    assert found["notes"][0]["words"].startswith("discontinuity: ")
    lines = running.output.read_text("utf-8")
    until(lambda: running.output.read_text("utf-8").count("Tregcast is ready on ") == 2)
    assert lines.index("Tregcast is not ready on ") < running.output.read_text("utf-8").rindex(
        "Tregcast is ready on "
    )


def test_an_answer_whose_record_is_lost_is_not_repeated(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, record: dict[str, Any]
) -> None:
    """What an idempotency key repeats is held to the trail: nothing leaves that has no record."""
    guarded = Guarded(tmp_path)
    workers = ("--workers", "2")
    running = begin(launcher, pack_folder, *workers, **guarded.settings)
    assert [ask(running.url, record, guarded.headers) for _ in range(5)] == [200] * 5
    tregcast("audit", "verify", "--store", guarded.store)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.process.wait(20) == 0
    shutil.copytree(guarded.file.parent, tmp_path / "copy", ignore=shutil.ignore_patterns("*.idempotency*"))

    running = begin(launcher, pack_folder, *workers, **guarded.settings)
    headers = {**guarded.headers, "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}

    def sent() -> tuple[int, str | None]:
        answer = httpx.post(f"{running.url}/v1/predict", json=record, headers=headers, timeout=20, trust_env=False)
        return answer.status_code, answer.headers.get("idempotent-replayed")

    assert [sent(), sent()] == [(200, None), (200, "true")]
    assert [ask(running.url, record, guarded.headers) for _ in range(3)] == [200] * 3
    for path in guarded.file.parent.glob("audit.db*"):
        if "idempotency" not in path.name:
            path.unlink()
    for path in (tmp_path / "copy").iterdir():
        shutil.copy2(path, guarded.file.parent / path.name)
    lost = refused_with_reason(running, guarded, record)
    assert {sent() for _ in range(4)} == {(503, None)}

    accept = ("audit", "accept", "--store", guarded.store, "--key", guarded.key, "--known", lost)
    tregcast(*accept, "--reason", "restored")
    for url in running.admin:
        until(lambda url=url: ready(url).status_code == 200, 15)
    assert [sent(), sent()] == [(200, None), (200, "true")]
    found = guarded.verify()
    assert (found["verified"], found["head"].partition(":")[0]) == (True, "7")  # five, the note, and the answer


def test_a_worker_that_takes_anothers_place_knows_the_head(
    pack_folder: Path, tmp_path: Path, launcher: Launcher, record: dict[str, Any]
) -> None:
    guarded = Guarded(tmp_path)
    running = begin(launcher, pack_folder, "--workers", "2", **guarded.settings)
    assert [ask(running.url, record, guarded.headers) for _ in range(9)] == [200] * 9
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text("ascii").split()
    for path in list(guarded.file.parent.iterdir()):
        path.unlink()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    until(lambda: len(running.log("worker lost")) == 2, 15)

    def refused() -> bool:
        try:
            return ready(running.url).status_code == 503
        except httpx.TransportError:
            return False

    until(refused, 30)
    assert ask(running.url, record, guarded.headers) == 503
    assert not guarded.file.exists(), "no new store is made in place of the one that was seen"


def test_a_postgres_database_put_back_under_two_workers(
    pack_folder: Path,
    tmp_path: Path,
    launcher: Launcher,
    record: dict[str, Any],
    postgres: Callable[[str], str],
) -> None:
    uri = postgres_uri(postgres("restored_under_service"))
    guarded = Guarded(tmp_path, uri.uri)
    running = begin(launcher, pack_folder, "--workers", "2", **guarded.settings)
    assert running.log("audit_anchor_not_apart")
    assert [ask(running.url, record, guarded.headers) for _ in range(5)] == [200] * 5
    with psycopg.connect(uri.uri) as connection:
        connection.execute("CREATE TABLE kept AS SELECT * FROM tregcast_audit")
    assert [ask(running.url, record, guarded.headers) for _ in range(4)] == [200] * 4
    with psycopg.connect(uri.uri) as connection:
        connection.execute("TRUNCATE tregcast_audit")
        connection.execute("INSERT INTO tregcast_audit SELECT * FROM kept")
    lost = refused_with_reason(running, guarded, record)
    accept = ("audit", "accept", "--store", uri.uri, "--key", guarded.key, "--known", lost)
    tregcast(*accept, "--reason", "restored")
    until(lambda: ready(running.url).status_code == 200, 15)
    assert ask(running.url, record, guarded.headers) == 200
    assert guarded.verify()["verified"] is True
