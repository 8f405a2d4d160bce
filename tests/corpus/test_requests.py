"""Every request over a real socket: what is answered, in which order, and with which problems."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from typing import Any, cast

import httpx
import pytest

from tests.conftest import Trained
from tests.corpus.cases import Case, cases
from tests.service.conftest import Launcher, stop
from tests.service.running import Running, begin

REQUESTS = cases("requests")
RECORD = next(case for case in cases("records") if case.name == "count as in training").given["record"]
BODY = json.dumps(RECORD)
WRITTEN = {
    "{RECORD}": BODY,
    "{LENGTH}": str(len(BODY)),
    "{CHUNKS}": f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n",
    "{DEEP}": "[" * 5000,
    "{MANY HEADERS}": f"x: {'a' * 30}\r\n" * 1500,
}


@dataclass(frozen=True)
class Response:
    """One answer of a connection."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def code(self) -> object:
        """The status, or the code of the problem."""
        return self.status if self.status < 400 else json.loads(self.body)["type"].rpartition(":")[2]


class Read(io.BytesIO):
    """All that a connection gave, for one response after the other."""

    def makefile(self, mode: str) -> Read:
        del mode
        return self

    def close(self) -> None:
        """Stay open: the next response stands behind."""


def exchanged(url: str, sent: bytes) -> list[Response]:
    """Every response, until the server closes."""
    at = httpx.URL(url)
    with socket.create_connection((at.host, cast("int", at.port)), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        whole = Read(b"".join(iter(lambda: connection.recv(65536), b"")))
    found = []
    while whole.tell() < len(whole.getbuffer()):
        response = HTTPResponse(cast("socket.socket", whole))
        response.begin()
        found.append(Response(response.status, response.headers, response.read()))
    return found


@pytest.fixture(scope="module")
def services(
    service: Running, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str | None, str]]:
    """The address of the service, and of one with a rule for references."""
    launcher = Launcher(tmp_path_factory.mktemp("services"))
    try:
        other = begin(launcher, trained.pack_folder, TREGCAST_REFERENCE_PATTERN="P-[0-9]{4}")
        yield {None: service.url, "reference": other.url}
    finally:
        for process in launcher.started:
            stop(process)


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_what_is_answered(case: Case, services: dict[str | None, str]) -> None:
    sent = re.sub(r"\{[A-Z ]+\}", lambda found: WRITTEN[found[0]], case.given["sent"])
    kind = "latin-1" if case.kind == "C25" else "utf-8"
    answers = exchanged(services[case.given.get("settings")], sent.encode(kind))
    expected = case.expected
    assert [answer.code for answer in answers] == expected["answers"]
    last = answers[-1]
    if "problems" in expected:
        problems = json.loads(last.body)["problems"]
        assert sorted(problem["code"] for problem in problems) == expected["problems"]
    if "same" in expected:
        assert len({answer.body for answer in answers}) == 1
        assert last.headers["idempotent-replayed"] == "true"
    if "lines" in expected:
        require_lines(expected, last.body)
    if "request_id" in expected:
        own = re.search("x-request-id: (.*)\r\n", sent)
        assert own is not None
        assert (last.headers["x-request-id"] == own[1]) == (expected["request_id"] == "echoed")
    if "traceparent" in expected:
        assert ("traceparent" in last.headers) == (expected["traceparent"] == "echoed")


def require_lines(expected: Any, body: bytes) -> None:
    """A stream: a line an answer, in order, and one that ends it."""
    *lines, end = map(json.loads, body.splitlines())
    said = ["rejected" if line["outcome"] == "rejected" else "answered" for line in lines]
    assert (said, end["complete"]) == (expected["lines"], True)
    codes = [problem["code"] for line in lines for problem in line.get("problems") or ()]
    assert codes == expected["codes"]
