"""NDJSON in and out: a line a record, as they come, each answered as alone, and a line that ends."""

from __future__ import annotations

import copy
import json
import socket
import sqlite3
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from model.pack import Pack
from service.body import MOST_BYTES
from tests.service.running import begin

NDJSON = "application/x-ndjson"


def streamed(
    client: httpx.Client, lines: Iterable[bytes], query: str = "", **headers: str
) -> tuple[httpx.Response, list[dict[str, Any]]]:
    content = b"".join(line + b"\n" for line in lines)
    response = client.post(
        f"/v1/predict/batch{query}", content=content, headers={"content-type": NDJSON, **headers}
    )
    found = [json.loads(line) for line in response.content.splitlines()] if response.status_code == 200 else []
    return response, found


def as_lines(records: Iterable[object]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


def test_each_line_is_answered_as_alone_and_the_last_one_ends(client: httpx.Client, pack: Pack) -> None:
    records = [copy.deepcopy(dict(item.record)) | {"reference": f"R-{at}"} for at, item in enumerate(pack.golden)]
    response, [*answers, last] = streamed(client, as_lines(records))
    assert response.headers["content-type"] == NDJSON
    assert "content-length" not in response.headers
    for row, (record, answer) in enumerate(zip(records, answers, strict=True), 1):
        assert answer == {"row": row, **client.post("/v1/predict", json=record).json()}
    outcomes = [answer["outcome"] for answer in answers]
    assert last == {
        "outcome": "end",
        "complete": True,
        "rows": len(records),
        "counts": {name: outcomes.count(name) for name in last["counts"]},
        "pack": pack.predictor.pack.to_json(),
        "problem": None,
    }
    assert sum(last["counts"].values()) == len(records)


def test_a_broken_line_has_problems_and_ends_nothing(client: httpx.Client, record: dict[str, Any]) -> None:
    good = json.dumps(record).encode()
    lines = [
        good,
        b'{"reference": "r-2", "visits": []}',
        b"{",
        good[:-1] + b', "sex": "male", "sex": "female"}',
        b'{"visits": NaN}',
        b"[" * 5000,
        b"\xff\xfe",
        b'"a text"',
        b"x" * (MOST_BYTES + 1),
        b" " * (MOST_BYTES - len(good)) + good,
        b" " * (MOST_BYTES - len(good) + 1) + good,
        good,
    ]
    _, [*answers, last] = streamed(client, lines)
    codes = [[each["code"] for each in answer.get("problems", [])] for answer in answers]
    assert codes == [
        [],
        ["empty_history"],
        ["malformed_json"],
        ["duplicate_key"],
        ["not_finite"],
        ["malformed_json"],
        ["malformed_json"],
        ["wrong_type"],
        ["too_large"],
        [],
        ["too_large"],
        [],
    ]
    assert answers[1]["reference"] == "r-2"
    assert [answer["row"] for answer in answers] == list(range(1, len(lines) + 1))
    assert (last["rows"], last["complete"], last["counts"]["rejected"]) == (len(lines), True, 9)


def test_blank_lines_marks_and_ends_of_lines_are_no_records(client: httpx.Client, record: dict[str, Any]) -> None:
    good = json.dumps(record).encode()
    content = b"\xef\xbb\xbf" + good + b"\r\n\n  \r\n" + good  # no end of line behind the last
    response = client.post("/v1/predict/batch", content=content, headers={"content-type": NDJSON})
    first, second, last = map(json.loads, response.content.splitlines())
    assert {**first, "row": 2} == second
    assert (last["rows"], last["complete"]) == (2, True)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \r\n"])
def test_no_line_at_all_is_rejected(client: httpx.Client, content: bytes) -> None:
    response = client.post("/v1/predict/batch", content=content, headers={"content-type": NDJSON})
    assert response.status_code == 422
    assert [each["code"] for each in response.json()["problems"]] == ["empty_batch"]


def test_what_is_explained_is_the_callers_choice(client: httpx.Client, record: dict[str, Any]) -> None:
    _, [brief, _] = streamed(client, as_lines([record]), "?explain=top5")
    assert brief == {"row": 1, **client.post("/v1/predict?explain=top5", json=record).json()}
    response, _ = streamed(client, as_lines([record]), "?explain=few")
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/whatif"])
def test_other_routes_take_no_lines(client: httpx.Client, path: str) -> None:
    response = client.post(path, content=b"{}\n", headers={"content-type": NDJSON})
    assert response.status_code == 415
    assert NDJSON not in response.headers["accept"]


def test_the_refusal_of_another_type_names_both(client: httpx.Client) -> None:
    response = client.post("/v1/predict/batch", content=b"{}\n", headers={"content-type": "text/csv"})
    assert response.status_code == 415
    assert response.headers["accept"] == f"application/json, {NDJSON}"
    compressed = {"content-type": NDJSON, "content-encoding": "gzip"}
    assert client.post("/v1/predict/batch", content=b"{}\n", headers=compressed).status_code == 415


class Connection:
    """A client that sends and reads what and when a test says."""

    def __init__(self, url: str, query: str = "") -> None:
        place = urlsplit(url)
        assert place.port is not None
        self.socket = socket.create_connection((place.hostname, place.port), timeout=20)
        self.socket.sendall(
            f"POST /v1/predict/batch{query} HTTP/1.1\r\nhost: {place.netloc}\r\n"
            f"content-type: {NDJSON}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def end(self) -> None:
        self.socket.sendall(b"0\r\n\r\n")

    def head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, head
            head += line
        return head

    def chunks(self) -> Iterator[bytes]:
        """The chunks of the answer until its end; one that is cut off raises `EOFError`."""
        while True:
            size = self.file.readline()
            if not size:
                raise EOFError
            content = self.file.read(int(size, 16) + 2)[:-2]
            if not content:
                return
            yield content

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def break_off(self) -> None:
        """Go without a word, as a process that was killed: the network tells the other side at once."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def test_answers_come_while_records_are_still_sent(server: Any, record: dict[str, Any]) -> None:
    line = json.dumps(record).encode() + b"\n"
    with closing(Connection(server.url, "?explain=none")) as connection:
        connection.send(line)
        assert connection.head().startswith(b"HTTP/1.1 200")
        chunks = connection.chunks()
        assert json.loads(next(chunks))["row"] == 1
        connection.send(line[:100])
        connection.send(line[100:] + line[:5])
        assert json.loads(next(chunks))["row"] == 2
        connection.send(line[5:])
        connection.end()
        rest = b"".join(chunks).splitlines()
        assert [json.loads(each).get("row") for each in rest] == [3, None]
        assert json.loads(rest[-1])["complete"] is True


@pytest.mark.slow
def test_more_than_a_batch_holds_in_bounded_memory_for_a_slow_reader(
    launcher: Any, pack_folder: Path, record: dict[str, Any]
) -> None:
    """Nothing is read for two seconds: the server neither reads on nor keeps what it would answer."""
    running = begin(launcher, pack_folder)
    process = psutil.Process(running.process.pid)
    line = json.dumps(record).encode().ljust(4000) + b"\n"
    rows = 6_000  # 24 MB in and about as much out: more than the network's buffers hold
    with closing(Connection(running.url)) as connection:
        before = process.memory_info().rss
        connection.socket.setblocking(False)
        content = line * rows
        whole = f"{len(content):x}\r\n".encode() + content + b"\r\n0\r\n\r\n"
        sent, until = 0, time.monotonic() + 2
        while time.monotonic() < until:
            try:
                sent += connection.socket.send(whole[sent : sent + 65536])
            except BlockingIOError:
                time.sleep(0.05)
        assert sent < len(whole)
        assert process.memory_info().rss - before < 30 * 2**20
        connection.socket.setblocking(True)
        sender = Thread(target=connection.socket.sendall, args=(whole[sent:],))
        sender.start()
        connection.head()
        answers = b"".join(connection.chunks()).splitlines()
        sender.join()
    last = json.loads(answers[-1])
    assert (last["rows"], last["complete"], last["counts"]["rejected"]) == (rows, True, 0)
    assert len(answers) == rows + 1


def _audited(tmp_path: Path) -> dict[str, str]:
    from cli import main

    key = tmp_path / "audit.key"
    with pytest.raises(SystemExit):
        main(["audit", "key", str(key)])
    return {"TREGCAST_AUDIT": f"sqlite:///{tmp_path / 'audit.db'}", "TREGCAST_AUDIT_KEY": str(key)}


def test_what_left_is_what_is_recorded_line_by_line(
    launcher: Any, pack_folder: Path, record: dict[str, Any], tmp_path: Path
) -> None:
    running = begin(launcher, pack_folder, **_audited(tmp_path))
    good = json.dumps(record).encode()
    lines = [good, b"{}", good, json.dumps(record | {"reference": "x"}).encode()]
    with httpx.Client(base_url=running.url, timeout=20, trust_env=False) as client:
        response, _ = streamed(client, lines, "?explain=top5")
        sent = response.content.splitlines()
    with closing(sqlite3.connect(tmp_path / "audit.db")) as database:
        rows = database.execute("SELECT body, output FROM records ORDER BY seq").fetchall()
    bodies = [json.loads(body) for body, _ in rows]
    assert [body["position"] for body in bodies] == [0, 1, 2, 3]
    assert [output for _, output in rows] == [sent[0], None, sent[2], sent[3]]
    inputs = [body["input"] for body in bodies]
    assert inputs[0] == inputs[2]  # the same line has the same keyed digest
    assert len(set(inputs)) == 3


def test_a_client_that_goes_leaves_nothing_behind(launcher: Any, pack_folder: Path, record: dict[str, Any]) -> None:
    running = begin(launcher, pack_folder)
    line = json.dumps(record).encode() + b"\n"
    connection = Connection(running.url)
    connection.send(line * 3)
    connection.head()
    next(connection.chunks())
    connection.break_off()
    until = time.monotonic() + 10
    while not running.log("request") and time.monotonic() < until:
        time.sleep(0.05)
    [entry] = running.log("request")
    assert (entry["status"], entry["route"]) == (499, "/v1/predict/batch")
    assert not running.log("fault")
    with httpx.Client(base_url=running.url, timeout=20, trust_env=False) as client:
        assert client.get("/readyz").status_code == 200


def test_a_stream_that_ends_before_its_end_is_not_complete(server: Any, record: dict[str, Any]) -> None:
    line = json.dumps(record).encode() + b"\n"
    with closing(Connection(server.url)) as connection:
        connection.send(line + line[:50])
        connection.socket.shutdown(socket.SHUT_WR)  # without the last chunk
        assert b"200" in connection.head()
        first, last = (json.loads(each) for each in b"".join(connection.chunks()).splitlines())
        assert first["row"] == 1
        assert (last["complete"], last["rows"]) == (False, 1)
        assert last["problem"]["type"] == "urn:tregcast:problem:incomplete"


def test_a_stream_of_which_the_next_line_does_not_come_is_ended(
    launcher: Any, pack_folder: Path, record: dict[str, Any]
) -> None:
    run = "import service.stream as s, cli; s.SECONDS_TO_SEND = 1.0; s.MOST_ROWS = 5; cli.main()"
    process, output = launcher.run(
        [sys.executable, "-c", run, "serve", "--pack", str(pack_folder), "--port", "0", "--admin-port", "0"]
    )
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    line = json.dumps(record).encode() + b"\n"
    with closing(Connection(url)) as connection:
        connection.send(line + b'{"vis')
        connection.head()
        first, last = (json.loads(each) for each in b"".join(connection.chunks()).splitlines())
        assert first["row"] == 1
        assert (last["complete"], last["rows"]) == (False, 1)
        assert last["problem"]["type"] == "urn:tregcast:problem:too_slow"
    with closing(Connection(url)) as connection:  # nothing has left: it is a problem document
        assert connection.head().startswith(b"HTTP/1.1 408")
    with closing(Connection(url)) as connection:
        connection.send(line * 5)
        connection.head()
        connection.send(line)
        last = json.loads(b"".join(connection.chunks()).splitlines()[-1])
        assert (last["complete"], last["rows"]) == (False, 5)
        assert [each["code"] for each in last["problem"]["problems"]] == ["too_many"]


def test_a_stream_takes_no_idempotency_key(client: httpx.Client, record: dict[str, Any]) -> None:
    headers = {"content-type": "application/x-ndjson", "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    response = client.post("/v1/predict/batch", content=json.dumps(record), headers=headers)
    assert response.status_code == 400
    [problem] = response.json()["problems"]
    assert problem["rule"] == "is not taken with a stream of lines"
    assert problem["remedy"] == "send a batch of up to 1,000 records, or leave the key out"
