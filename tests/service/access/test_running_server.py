"""Two server processes read a store that the command writes, and see what it does within two seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from tests.service.access.conftest import await_true

ROOT = Path(__file__).parents[3]
WITHIN = 2.0  # seconds


@pytest.fixture
def servers(store: Path) -> Iterator[list[httpx.Client]]:
    command = [sys.executable, str(Path(__file__).with_name("serving.py")), str(store)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    clients = []
    try:
        for process in processes:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            clients.append(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False))
        yield clients
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=15)
        for client in clients:
            client.close()


def command(*arguments: object) -> str:
    return CliRunner().invoke(main, ["keys", *map(str, arguments)], catch_exceptions=False).stdout.strip()


def test_added_revoked_deleted(store: Path, servers: list[httpx.Client]) -> None:
    def answers(client: httpx.Client, text: str) -> int:
        return client.get("/", headers={"authorization": f"Bearer {text}"}).status_code

    def all_answer(text: str, status: int) -> bool:
        return all(answers(client, text) == status for client in servers)

    assert all_answer("tregcast_00000000_" + 43 * "a", 503)
    first, second = (command("add", "--name", "w", "--scope", "predict", "--store", store) for _ in range(2))
    assert await_true(lambda: all_answer(first, 200) and all_answer(second, 200)) < WITHIN
    command("revoke", first[9:17], "--store", store)
    assert await_true(lambda: all_answer(first, 401)) < WITHIN
    assert all_answer(second, 200)
    store.unlink()
    assert await_true(lambda: all_answer(second, 503)) < WITHIN
    third = command("add", "--name", "w", "--scope", "predict", "--store", store)
    assert await_true(lambda: all_answer(third, 200) and all_answer(second, 401)) < WITHIN


def test_the_answers_are_problem_documents_with_their_headers(store: Path, servers: list[httpx.Client]) -> None:
    text = command("add", "--name", "w", "--scope", "predict", "--rate", "1/minute", "--store", store)
    client, headers = servers[0], {"authorization": f"Bearer {text}"}
    missing = client.get("/")
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, 'Bearer realm="tregcast"')
    assert missing.headers["content-type"] == "application/problem+json"
    twice = client.get("/", headers=[("authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")])
    assert twice.json() == missing.json()
    assert client.get("/", headers=headers).json() == {"id": text[9:17], "kind": "key"}
    again = client.get("/", headers=headers)
    assert (again.status_code, again.json()["type"]) == (429, "urn:tregcast:problem:too_many_requests")
    assert 55 <= int(again.headers["retry-after"]) <= 60
