"""Where MLflow's webhooks arrive. One that is signed wakes whoever waits; nothing that it says is read.

MLflow 3.17 signs ``<delivery id>.<timestamp>.<body>`` with HMAC-SHA256 (``mlflow/webhooks/delivery.py``) and sends
the result as ``X-MLflow-Signature: v1,<base64>``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET6, SHUT_RDWR, getaddrinfo, socket
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import Any

SIGNATURE, TIMESTAMP, DELIVERY = "X-MLflow-Signature", "X-MLflow-Timestamp", "X-MLflow-Delivery-Id"
MOST_BYTES = 64 * 1024  # of a body; MLflow's own have a few hundred
SECONDS_OFF = 300  # that a timestamp may be from our clock
SECONDS_FOR_ONE = 10  # connection, however slowly it sends
MOST_AT_ONCE = 8  # connections; others are closed
MOST_REMEMBERED = 1000  # deliveries, none of which wakes twice
SHORTEST_SECRET = 16  # characters


class SecretError(ValueError):
    """The file with the secret cannot be used; the text does not hold the secret."""


def read_secret(file: Path) -> bytes:
    """The secret that a webhook was made with, from the first line of a file.

    Raises:
        SecretError: the file cannot be read, or the secret is shorter than 16 characters.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SecretError(f"{file}: cannot be read as text ({type(error).__name__})") from None
    secret = lines[0].strip() if lines else ""
    if len(secret) < SHORTEST_SECRET:
        raise SecretError(f"{file}: the secret is shorter than {SHORTEST_SECRET} characters; make it with openssl")
    return secret.encode("utf-8")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was sent: the headers that count, "" where one is not there, and the body."""

    id: str
    timestamp: str
    signature: str
    body: bytes


class Deliveries:
    """Tells which deliveries are MLflow's: signed, of now, and not seen before. Safe under threads."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seen: deque[str] = deque(maxlen=MOST_REMEMBERED)
        self._lock = Lock()

    def accepts(self, sent: Delivery, now: float) -> bool:
        """Whether a delivery may wake anybody; ``now`` is in seconds since 1970."""
        signed = f"{sent.id}.{sent.timestamp}.".encode("utf-8", "replace") + sent.body
        digest = base64.b64encode(hmac.new(self._secret, signed, hashlib.sha256).digest())
        if not hmac.compare_digest(b"v1," + digest, sent.signature.encode("utf-8", "replace")):
            return False
        if not re.fullmatch("[0-9]{1,12}", sent.timestamp) or abs(now - int(sent.timestamp)) > SECONDS_OFF:
            return False
        with self._lock:
            if sent.id in self._seen:
                return False
            self._seen.append(sent.id)
        return True


class WebhookListener:
    """Listens for webhooks in threads of its own, from `start` on.

    Answers 204 to a delivery that is accepted and 401 to any other, without a word; only POST; bodies up to 64 KiB.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, secret: bytes, wake: Callable[[], None]) -> None:
        family, _, _, _, address = getaddrinfo(host, port)[0]
        kind = _Server6 if family == AF_INET6 else _Server
        self._server = kind((str(address[0]), int(address[1])), Deliveries(secret), wake)

    @property
    def address(self) -> str:
        """``host:port``, with the port that was taken where 0 was asked for."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def start(self) -> None:
        """Answer from now on."""
        Thread(target=self._server.serve_forever, name="webhook", daemon=True).start()

    def close(self) -> None:
        """Stop listening; call it after `start`."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], deliveries: Deliveries, wake: Callable[[], None]) -> None:
        self.deliveries, self.wake = deliveries, wake
        self._free = BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        timer = Timer(SECONDS_FOR_ONE, _cut_off, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nobody's concern; nothing of it is written."""


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SECONDS_FOR_ONE

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length):
            self._answer(411)
        elif int(length) > MOST_BYTES:
            self._answer(413)
        else:
            self._answer(204 if self._accepted(int(length)) else 401)

    def _accepted(self, length: int) -> bool:
        body = self.rfile.read(length)
        delivery, timestamp, signature = (self.headers.get(name, "") for name in (DELIVERY, TIMESTAMP, SIGNATURE))
        sent = Delivery(delivery, timestamp, signature, body)
        accepted = len(body) == length and self.server.deliveries.accepts(sent, time.time())
        if accepted:
            self.server.wake()
        return accepted

    def send_error(self, code: int, *_: object) -> None:
        """What the base class answers a method that is not above (501) or a broken request with; no page."""
        self._answer(405 if code == 501 else code)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is sent here is a stranger's until it is verified."""

    def _answer(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        if status == 405:
            self.send_header("Allow", "POST")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True


def _cut_off(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:
        return  # it has ended
