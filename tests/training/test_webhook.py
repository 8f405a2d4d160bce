"""Only a delivery that MLflow signed, just now, for the first time, wakes; nothing else is answered with a word."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.deliveries import BODY, NOW, SECRET, delivery
from training import webhook
from training.webhook import (
    MOST_BYTES,
    SECONDS_OFF,
    Deliveries,
    Delivery,
    SecretError,
    WebhookListener,
    read_secret,
)


@pytest.fixture
def deliveries() -> Deliveries:
    return Deliveries(SECRET.encode())


def test_what_mlflow_signs_is_accepted_once(deliveries: Deliveries) -> None:
    assert deliveries.accepts(delivery(), NOW)
    assert not deliveries.accepts(delivery(), NOW)
    assert deliveries.accepts(delivery(number="2"), NOW)


@pytest.mark.parametrize("off", [-SECONDS_OFF - 1, SECONDS_OFF + 1])
def test_a_timestamp_that_is_off_is_refused(deliveries: Deliveries, off: int) -> None:
    assert not deliveries.accepts(delivery(), NOW + off)
    assert deliveries.accepts(delivery(), NOW + off - (1 if off > 0 else -1))


@pytest.mark.parametrize("at", ["", "nan", "1e9", "-1", "9" * 13, "١٧٩٠٠٠٠٠٠٠"])
def test_a_timestamp_that_is_no_number_is_refused(deliveries: Deliveries, at: str) -> None:
    assert not deliveries.accepts(delivery(at=at), NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "2"},
        {"timestamp": str(NOW + 1)},
        {"body": BODY + b" "},
        {"body": b""},
        {"signature": ""},
        {"signature": "v1,"},
        {"signature": "v1,\N{SNOWMAN}"},
        {"signature": delivery().signature.replace("v1,", "v2,")},
        {"signature": delivery().signature.removeprefix("v1,")},
        {"signature": delivery(secret="another-secret-of-another").signature},
    ],
    ids=str,
)
def test_whatever_is_changed_is_refused(deliveries: Deliveries, changed: dict[str, str]) -> None:
    assert not deliveries.accepts(replace(delivery(), **changed), NOW)
    assert deliveries.accepts(delivery(), NOW)  # and the true one is not used up by it


@given(st.binary(max_size=200), st.text(max_size=40), st.text(max_size=20), st.text(max_size=60))
def test_nothing_unsigned_is_accepted(body: bytes, number: str, timestamp: str, signature: str) -> None:
    assert not Deliveries(SECRET.encode()).accepts(Delivery(number, timestamp, signature, body), NOW)


def test_the_signature_is_hmac_sha256_of_id_time_and_body() -> None:
    """By hand, as MLflow's documentation describes it."""
    signed = hmac.new(SECRET.encode(), b"1." + str(NOW).encode() + b"." + BODY, hashlib.sha256).digest()
    by_hand = Delivery("1", str(NOW), "v1," + base64.b64encode(signed).decode(), BODY)
    assert Deliveries(SECRET.encode()).accepts(by_hand, NOW)


def test_the_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", "utf-8")
    assert read_secret(file) == SECRET.encode()


@pytest.mark.parametrize("content", [b"", b"\n", b"short-secret\n", b"\xff" * 40])
def test_a_secret_that_cannot_be_used_is_not_repeated(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SecretError) as error:
        read_secret(file)
    assert str(error.value).startswith(f"{file}: ")
    assert "short-secret" not in str(error.value)


@dataclass(frozen=True)
class Listening:
    url: str
    port: int
    woken: Event

    def post(self, sent: Delivery) -> int:
        headers = {
            webhook.DELIVERY: sent.id,
            webhook.TIMESTAMP: sent.timestamp,
            webhook.SIGNATURE: sent.signature,
            "content-type": "application/json",
        }
        answer = httpx.post(self.url, content=sent.body, headers=headers, timeout=10, trust_env=False)
        assert answer.content == b""
        return answer.status_code

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as connection:
            connection.sendall(request)
            received = b""
            while more := connection.recv(4096):
                received += more
        return received


@pytest.fixture
def listening() -> Iterator[Listening]:
    woken = Event()
    listener = WebhookListener("127.0.0.1", 0, SECRET.encode(), woken.set)
    listener.start()
    try:
        yield Listening(f"http://{listener.address}", int(listener.address.rpartition(":")[2]), woken)
    finally:
        listener.close()


def test_a_signed_delivery_wakes_and_others_do_not(listening: Listening) -> None:
    now = int(time.time())
    assert listening.post(delivery(secret="another-secret-of-another", at=now)) == 401
    assert listening.post(delivery(at=now - 2 * SECONDS_OFF)) == 401
    assert not listening.woken.is_set()
    assert listening.post(delivery(at=now)) == 204
    assert listening.woken.is_set()


def test_only_post_and_only_so_much(listening: Listening) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "CANARY"):
        answer = httpx.request(method, f"{listening.url}/CANARY", trust_env=False)
        assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")
        assert "server" not in answer.headers
    assert listening.post(delivery(b"x" * (MOST_BYTES + 1), at=int(time.time()))) == 413
    assert listening.post(delivery(b"x" * MOST_BYTES, at=int(time.time()))) == 204


@pytest.mark.parametrize("length", [b"", b"Content-Length: -1\r\n", b"Content-Length: x\r\n"])
def test_a_body_without_a_length_is_not_read(listening: Listening, length: bytes) -> None:
    answer = listening.raw(b"POST / HTTP/1.1\r\nHost: h\r\n" + length + b"\r\n")
    assert answer.startswith(b"HTTP/1.0 411 ")


def test_who_sends_slowly_is_cut_off(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS_FOR_ONE", 0.5)
    started = time.monotonic()
    listening.raw(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    assert time.monotonic() - started < 5
    assert not listening.woken.is_set()


def test_many_who_send_nothing_do_not_fill_it(listening: Listening) -> None:
    idle = [socket.create_connection(("127.0.0.1", listening.port)) for _ in range(webhook.MOST_AT_ONCE)]
    time.sleep(0.3)
    try:
        assert listening.raw(b"POST / HTTP/1.1\r\n\r\n") == b""  # closed at once
    finally:
        for connection in idle:
            connection.close()
    time.sleep(0.3)
    assert listening.post(delivery(at=int(time.time()))) == 204
