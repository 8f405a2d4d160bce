"""A real server under load from eight connections, while the link to its pack is pointed elsewhere."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from model.answer import render
from model.pack import Pack
from service.answering import answer_body
from service.json_response import json_bytes
from tests.service.folders import point, spoilt

CONNECTIONS = 8
SWAPS = 50
WITHIN_SECONDS = 2.0  # what a rollback may take


@dataclass
class Load:
    """What eight connections got: the record that was sent, the status and the body, of every request."""

    answers: list[tuple[int, int, bytes]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def bodies(*packs: Pack) -> list[bytes]:
    """Records that are answered with a prediction, with cautions, and not at all."""
    return [json.dumps(item.record).encode() for pack in packs for item in pack.golden]


def in_process(pack: Pack, body: bytes) -> bytes:
    return json_bytes(render(answer_body(pack.predictor, body, today=date.max)))


@contextmanager
def load(url: str, sent: Sequence[bytes]) -> Iterator[Load]:
    """Requests without a pause until the block ends."""
    found, ended = Load(), Event()

    def ask(first: int) -> None:
        headers = {"content-type": "application/json"}
        with httpx.Client(base_url=url, timeout=10, trust_env=False, headers=headers) as client:
            number = first
            while not ended.is_set():
                number = (number + 1) % len(sent)
                try:
                    answer = client.post("/v1/predict", content=sent[number])
                    found.answers.append((number, answer.status_code, answer.content))
                except httpx.HTTPError as error:
                    found.failures.append(repr(error))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = [pool.submit(ask, first) for first in range(CONNECTIONS)]
        try:
            yield found
        finally:
            ended.set()
        for task in waiting:
            task.result(15)


def hold(found: Load, sent: Sequence[bytes], *packs: Pack) -> Counter[str]:
    """No request failed, and every answer is that of the pack that it names. How often each pack answered."""
    expected = {pack.id: [in_process(pack, body) for body in sent] for pack in packs}
    assert found.failures == []
    assert {status for _, status, _ in found.answers} == {200}
    answered = Counter[str]()
    for number, _, body in found.answers:
        pack_id = json.loads(body)["pack"]["id"]
        assert body == expected[pack_id][number]
        answered[pack_id] += 1
    return answered


@dataclass(frozen=True)
class Following:
    """A server that answers from what ``link`` points to."""

    url: str
    admin: str
    link: Path
    output: Path

    def ready(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/readyz", timeout=10, trust_env=False)
        assert answer.status_code == 200
        return dict(answer.json())

    def seconds_until(self, **expected: str) -> float:
        """Until ``/readyz`` says so."""
        started = time.monotonic()
        while not expected.items() <= (said := self.ready()).items():
            assert time.monotonic() - started < 10, said
            time.sleep(0.02)
        return time.monotonic() - started

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text("utf-8").splitlines() if line.startswith("{")]


@pytest.fixture
def following(launcher: Any, pack_folder: Path, tmp_path: Path) -> Following:
    link = tmp_path / "als-progression@champion"
    point(link, pack_folder)
    process, output = launcher.serve(link)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    pages = launcher.await_line(process, output, "Tregcast's pages are on ").split()[4]
    return Following(url, pages, link, output)


@pytest.mark.slow
def test_fifty_swaps_under_load_lose_no_request_and_mix_no_answer(
    following: Following, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack
) -> None:
    sent = bodies(pack, other_pack)
    took = []
    with load(following.url, sent) as found:
        for number in range(SWAPS):
            folder, expected = ((other_pack_folder, other_pack), (pack_folder, pack))[number % 2]
            point(following.link, folder)
            took.append(following.seconds_until(pack=expected.id))
    answered = hold(found, sent, pack, other_pack)
    assert set(answered) == {pack.id, other_pack.id}
    assert min(answered.values()) > SWAPS
    assert max(took) < WITHIN_SECONDS
    assert sum(line["event"] == "pack swapped" for line in following.log()) == SWAPS


def test_a_spoilt_pack_never_answers_and_readiness_says_why(
    following: Following, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack, tmp_path: Path
) -> None:
    sent = bodies(pack, other_pack)
    with load(following.url, sent) as found:
        point(following.link, spoilt(other_pack_folder, tmp_path / "bad"))
        following.seconds_until(problem="digest")
        time.sleep(1)
        assert following.ready() == {"status": "ready", "pack": pack.id, "problem": "digest"}
    assert set(hold(found, sent, pack)) == {pack.id}
    told = [line for line in following.log() if line["event"] == "pack refused"]
    assert [(line["level"], line["pack"], line["problem"]) for line in told] == [("error", pack.id, "digest")]
    point(following.link, other_pack_folder)
    following.seconds_until(pack=other_pack.id)
    assert following.ready() == {"status": "ready", "pack": other_pack.id}
    point(following.link, pack_folder)
    assert following.seconds_until(pack=pack.id) < WITHIN_SECONDS


def test_with_its_folder_deleted_it_goes_on_and_takes_the_next_pack(
    following: Following, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack, tmp_path: Path
) -> None:
    sent = bodies(pack, other_pack)
    copy = Path(shutil.copytree(pack_folder, tmp_path / "copy"))
    with load(following.url, sent) as found:
        point(following.link, copy)
        shutil.rmtree(copy)
        following.seconds_until(problem="not_found")
        time.sleep(0.5)
        following.link.unlink()
        time.sleep(0.5)
        assert following.ready() == {"status": "ready", "pack": pack.id, "problem": "not_found"}
        point(following.link, other_pack_folder)
        following.seconds_until(pack=other_pack.id)
    assert set(hold(found, sent, pack, other_pack)) == {pack.id, other_pack.id}


def test_every_document_is_that_of_the_pack_in_use(
    following: Following, other_pack_folder: Path, other_pack: Pack
) -> None:
    with httpx.Client(base_url=following.url, timeout=10, trust_env=False) as client:
        assert client.get("/v1/model").json()["pack"]["id"] != other_pack.id
        point(following.link, other_pack_folder)
        following.seconds_until(pack=other_pack.id)
        assert client.get("/v1/model").json()["pack"]["id"] == other_pack.id
        assert other_pack.id in client.get("/openapi.json").text
        assert other_pack.id in httpx.get(f"{following.admin}/", trust_env=False).text


def test_a_server_that_was_told_the_id_of_its_pack_keeps_it(
    launcher: Any, pack_folder: Path, other_pack_folder: Path, pack: Pack, tmp_path: Path
) -> None:
    link = tmp_path / "champion"
    point(link, pack_folder)
    process, output = launcher.serve(link, 0, pack.id)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    point(link, other_pack_folder)
    time.sleep(1)
    assert httpx.get(f"{url}/readyz", trust_env=False).json() == {"status": "ready", "pack": pack.id}
