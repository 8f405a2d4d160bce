"""Several workers under one command: one that is killed, all that are told to end, packs that change or are bad."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from model.pack import Pack
from tests.service.folders import point, spoilt
from tests.service.running import Running, begin

CONNECTIONS, SWAPS = 8, 20
SLOW = 30.0  # seconds that a busy machine may take


@dataclass
class Load:
    statuses: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(url: str, body: bytes, headers: dict[str, str] | None = None) -> Iterator[Load]:
    """Eight connections ask without a pause until the block ends, or nobody listens any more."""
    found, ended = Load(), Event()
    told = {"content-type": "application/json", **(headers or {})}

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=20, trust_env=False, headers=told) as client:
            while not ended.is_set():
                try:
                    found.statuses.append(client.post("/v1/predict", content=body).status_code)
                except httpx.ConnectError:
                    return  # refused: the service is not there, and no request was lost
                except httpx.HTTPError as error:
                    found.failures.append(repr(error))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = [pool.submit(ask) for _ in range(CONNECTIONS)]
        try:
            yield found
        finally:
            ended.set()
        for task in waiting:
            task.result(SLOW)


@dataclass(frozen=True)
class Service(Running):
    """A running service of two workers."""

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        return [int(word) for word in children.split()]

    def ready(self, worker: int) -> dict[str, Any]:
        try:
            return dict(httpx.get(f"{self.admin[worker]}/readyz", timeout=5, trust_env=False).json())
        except httpx.HTTPError:
            return {}


def until(true: Callable[[], object], seconds: float = SLOW) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds
        time.sleep(0.01)
    return time.monotonic() - started


def begin_two(launcher: Any, pack: Path, **settings: str) -> Service:
    return Service(**vars(begin(launcher, pack, "--workers", "2", **settings)))


@pytest.fixture
def link(pack_folder: Path, tmp_path: Path) -> Path:
    link = tmp_path / "champion"
    point(link, pack_folder)
    return link


@pytest.fixture
def body(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def test_each_has_an_admin_port_and_all_are_ready_when_it_says_so(
    launcher: Any, pack_folder: Path, pack: Pack
) -> None:
    service = begin_two(launcher, pack_folder)
    assert len(service.workers()) == 2
    assert len(set(service.admin)) == 2
    assert [service.ready(worker) for worker in (0, 1)] == [{"status": "ready", "pack": pack.id}] * 2
    assert len(service.log("started")) == 2
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert len(service.log("stopped")) == 2


def test_admin_ports_follow_the_first(launcher: Any, pack_folder: Path) -> None:
    pages = begin(launcher, pack_folder, "--workers", "2", "--admin-port", "43117").admin
    assert pages == ["http://127.0.0.1:43117", "http://127.0.0.1:43118"]


def test_one_that_is_killed_costs_its_own_requests_and_is_replaced(
    launcher: Any, pack_folder: Path, body: bytes
) -> None:
    service = begin_two(launcher, pack_folder)
    before = service.workers()
    with load(service.url, body) as found:
        until(lambda: len(found.statuses) > 200)
        os.kill(before[0], signal.SIGKILL)
        took = until(lambda: len(service.log("started")) == 3 and all(map(service.ready, (0, 1))))
        answered = len(found.statuses)
        until(lambda: len(found.statuses) > answered + 200)
    print(f"killed: {len(found.failures)} of {len(found.statuses)} requests failed; back after {took:.2f} s")
    assert len(found.failures) <= CONNECTIONS
    assert set(found.statuses) == {200}
    assert before[1] in service.workers()
    assert before[0] not in service.workers()
    [lost] = service.log("worker lost")
    assert lost["exit"] == -signal.SIGKILL
    assert service.process.poll() is None


def test_told_to_end_under_load_it_finishes_every_request(launcher: Any, pack_folder: Path, body: bytes) -> None:
    service = begin_two(launcher, pack_folder)
    with load(service.url, body) as found:
        until(lambda: len(found.statuses) > 200)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(9) == 0  # not only because their time to finish was over
    assert found.failures == []
    assert set(found.statuses) == {200}


def test_told_to_end_one_worker_finishes_every_request_too(launcher: Any, pack_folder: Path, body: bytes) -> None:
    service = begin(launcher, pack_folder)
    with load(service.url, body) as found:
        until(lambda: len(found.statuses) > 200)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(9) == 0  # not only because its time to finish was over
    assert found.failures == []
    assert set(found.statuses) == {200}


@pytest.mark.slow
def test_swaps_under_load_lose_no_request_and_all_end_on_one_pack(
    launcher: Any, link: Path, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack, body: bytes
) -> None:
    service = begin_two(launcher, link)
    with load(service.url, body) as found:
        for number in range(SWAPS):
            folder, expected = ((other_pack_folder, other_pack), (pack_folder, pack))[number % 2]
            point(link, folder)
            until(lambda: all(service.ready(worker).get("pack") == expected.id for worker in (0, 1)))  # noqa: B023
    assert found.failures == []
    assert set(found.statuses) == {200}
    assert len(service.log("pack swapped")) == 2 * SWAPS


def test_a_bad_pack_ends_all_of_it_with_3_and_one_reason(launcher: Any, pack_folder: Path, tmp_path: Path) -> None:
    process, output = launcher.command(spoilt(pack_folder, tmp_path / "bad"), "--workers", "2")
    assert process.wait(15) == 3
    assert output.read_text("utf-8").count("Tregcast does not start") == 1
    assert "calibration.json: its sha256 is not the one" in output.read_text("utf-8")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"TREGCAST_AUTH": "keys"}, "TREGCAST_KEYS is required"),  # found by the parent
        ({"TREGCAST_AUDIT": "sqlite:///a.db", "TREGCAST_AUDIT_KEY": "/nowhere"}, "cannot be read"),  # by a worker
    ],
)
def test_unusable_settings_end_all_of_it_with_2(
    launcher: Any, pack_folder: Path, settings: dict[str, str], says: str
) -> None:
    process, output = launcher.command(pack_folder, "--workers", "2", **settings)
    assert process.wait(15) == 2
    assert output.read_text("utf-8").count("Tregcast does not start") == 1
    assert says in output.read_text("utf-8")


def test_workers_whose_parent_is_killed_end_by_themselves(launcher: Any, pack_folder: Path) -> None:
    service = begin_two(launcher, pack_folder)
    workers = service.workers()
    service.process.kill()
    service.process.wait(5)
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert len(service.log("stopped")) == 2


def test_a_replacement_begins_with_the_last_good_pack_where_the_link_is_bad(
    launcher: Any,
    link: Path,
    pack_folder: Path,
    other_pack_folder: Path,
    pack: Pack,
    other_pack: Pack,
    tmp_path: Path,
) -> None:
    service = begin_two(launcher, link)
    point(link, spoilt(other_pack_folder, tmp_path / "bad"))
    until(lambda: all(service.ready(worker).get("problem") == "digest" for worker in (0, 1)))
    killed = service.workers()[0]
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(service.log("started")) == 3 and all(map(service.ready, (0, 1))))
    assert [service.ready(worker) for worker in (0, 1)] == [
        {"status": "ready", "pack": pack.id, "problem": "digest"}
    ] * 2
    point(link, other_pack_folder)
    until(lambda: all(service.ready(worker).get("pack") == other_pack.id for worker in (0, 1)))


def test_one_that_cannot_start_again_is_tried_again_while_the_other_answers(
    launcher: Any, pack_folder: Path, body: bytes, tmp_path: Path
) -> None:
    """Its link is bad and the last good pack is gone."""
    link, copy = tmp_path / "champion", tmp_path / "copy"
    _copied(pack_folder, copy)
    point(link, copy)
    service = begin_two(launcher, link)
    gone = tmp_path / "gone"
    copy.rename(gone)
    os.kill(service.workers()[0], signal.SIGKILL)
    until(lambda: len(service.log("worker not started")) >= 2)
    pauses = [line["pause_s"] for line in service.log("worker not started")]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 1
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{service.url}/v1/predict", content=body, headers=headers, timeout=20, trust_env=False)
    assert answer.status_code == 200
    gone.rename(copy)
    until(lambda: len(service.log("started")) == 3, 2 * SLOW)


def _copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for each in folder.iterdir():
        (to / each.name).write_bytes(each.read_bytes())
    return to


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_workers_write_one_chain(
    launcher: Any, pack_folder: Path, body: bytes, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    store, secret = f"sqlite:///{tmp_path / 'audit.db'}", tmp_path / "key"
    if kind == "postgres":
        store = request.getfixturevalue("postgres")("two_workers").replace("+psycopg2", "")
    assert CliRunner().invoke(main, ["audit", "key", str(secret)]).exit_code == 0
    service = begin_two(launcher, pack_folder, TREGCAST_AUDIT=store, TREGCAST_AUDIT_KEY=str(secret))
    until(lambda: all(service.ready(worker).get("status") == "ready" for worker in (0, 1)))
    with load(service.url, body) as found:
        until(lambda: len(found.statuses) > 300)
        os.kill(service.workers()[0], signal.SIGKILL)
        until(lambda: len(service.log("started")) == 3 and all(map(service.ready, (0, 1))))
        answered = len(found.statuses)
        until(lambda: len(found.statuses) > answered + 300)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert set(found.statuses) <= {200, 503}  # 503: a disk that took longer than two seconds
    said = CliRunner().invoke(main, ["audit", "verify", "--store", store, "--json"])
    assert said.exit_code == 0, said.output
    records = json.loads(said.stdout)
    kept = int(re.sub(r":.*", "", str(records["head"])))
    assert kept >= found.statuses.count(200)
