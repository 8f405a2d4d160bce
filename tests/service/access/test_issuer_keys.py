"""The issuer's keys: from a file or a real https server, in the background, and never more often than said."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from service.access.access import Access
from service.access.issuer_keys import IssuerKeys
from service.access.key_document import Unreadable, read_document
from service.access.key_set import BadKeySet, read_key_set
from service.access.settings import AccessSettings
from service.problem import Unanswered
from tests.service.access.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    Issuer,
    await_true,
    b64,
    document,
    header,
    jwk,
    refused,
    signed,
)

RSA_1024 = {
    "kty": "RSA",
    "kid": "short",
    "e": "AQAB",
    "n": "wA" + 169 * "A" + "E",
}  # 1024 bits, whatever its factors


@dataclass
class Served:
    """What the https server answers, and how often it was asked."""

    url: str
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


@pytest.fixture
def served(certificate: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    what = Served("", json.dumps(issuer.jwks()).encode())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what.asked += 1
            self.send_response(what.status)
            for name, value in what.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(what.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        what.url = f"https://127.0.0.1:{server.server_port}/jwks"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield what
        server.shutdown()
        thread.join()


def settings(place: object) -> AccessSettings:
    return AccessSettings("bearer", None, str(place), (ISSUER,), (AUDIENCE,))


def test_keys_from_an_https_address(
    served: Served, issuer: Issuer, opened: Callable[[AccessSettings], Access]
) -> None:
    access = opened(settings(served.url))
    for _ in range(20):
        assert access.admit(header(issuer.token("RS384")), "predict", NOW).kind == "bearer"
    assert served.asked == 1


def test_a_flood_of_unknown_keys_asks_the_issuer_once(
    served: Served, issuer: Issuer, opened: Callable[[AccessSettings], Access]
) -> None:
    access = opened(settings(served.url))
    keys = access._bearer.keys  # type: ignore[union-attr]

    def flood() -> set[int]:
        header_of = ({"alg": "ES384", "kid": f"unknown {number}"} for number in range(300))
        return {refused(access, signed(issuer.ec, header, {})) for header in header_of}

    assert flood() == {401}  # read a moment ago
    assert served.asked == 1
    keys._begun -= 30  # as if half a minute had passed
    assert flood() <= {401, 503}
    await_true(lambda: not keys._reading)
    assert flood() == {401}
    assert served.asked == 2
    assert access.admit(header(issuer.token()), "predict", NOW).kind == "bearer"


def test_a_key_that_the_issuer_has_just_made_is_known_at_the_second_attempt(
    served: Served, issuer: Issuer, opened: Callable[[AccessSettings], Access]
) -> None:
    access = opened(settings(served.url))
    keys = access._bearer.keys  # type: ignore[union-attr]
    new = ec.generate_private_key(ec.SECP384R1())
    served.body = json.dumps({"keys": [jwk(new, "new")]}).encode()
    keys._begun -= 30
    token = signed(new, {"alg": "ES384", "kid": "new"}, issuer.claims())
    found = document(access, token)
    assert (found.status, found.headers) == (503, {"Retry-After": "2"})
    await_true(lambda: not keys._reading)
    assert access.admit(header(token), "predict", NOW).kind == "bearer"
    assert refused(access, issuer.token()) == 401  # signed with a key that was withdrawn


def test_while_the_issuer_fails_the_last_keys_serve_for_an_hour(served: Served, issuer: Issuer) -> None:
    keys = IssuerKeys(served.url, read_every=0.05, not_before=0.05)
    try:
        await_true(lambda: keys._keys is not None)
        served.status = 500
        asked = served.asked
        await_true(lambda: served.asked > asked + 2)
        assert keys.current().find("e") is not None
        keys._read_at -= 3600
        with pytest.raises(Unanswered, match="unavailable") as caught:
            keys.current()
        said = "The service does not have the issuer's keys: the answer is 500, not 200."
        assert caught.value.document.detail == said
        served.status = 200
        await_true(lambda: keys._read_at > time.monotonic() - 60)
        assert keys.current().find("e") is not None
    finally:
        keys.close()
    keys._thread.join(5)
    assert not keys._thread.is_alive()


def test_failing_readings_are_not_begun_more_often_than_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = IssuerKeys(str(tmp_path / "nothing"), read_every=0.01, not_before=0.2)
    time.sleep(0.7)
    for _ in range(1000):
        keys.ask()
    keys.close()
    keys._thread.join(5)
    told = [line for line in caplog.messages if line == "issuer's keys: there is no such file"]
    assert 2 <= len(told) <= 5
    with pytest.raises(Unanswered, match="unavailable") as caught:
        keys.current()
    assert str(tmp_path) not in caught.value.document.detail


def test_a_changed_file_is_read_again(jwks_file: Path, issuer: Issuer) -> None:
    keys = IssuerKeys(str(jwks_file), read_every=0.05)
    await_true(lambda: keys._keys is not None)
    jwks_file.write_text(json.dumps({"keys": [jwk(issuer.ec, "other")]}), "utf-8")
    await_true(lambda: keys.current().find("other") is not None)
    assert keys.current().find("e") is None
    keys.close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (404, {}, b"", "the answer is 404, not 200"),
        (204, {}, b"", "the answer is 204, not 200"),
        (302, {"location": "http://127.0.0.1:1/"}, b"", "the answer is 302, not 200"),
        (200, {}, b" " * (256 * 1024 + 1), "it is larger than 256 KiB"),
        (200, {"transfer-encoding": "chunked"}, b"", r"it could not be read \(IncompleteRead\)"),
    ],
)
def test_answers_that_are_no_document(
    served: Served, status: int, headers: dict[str, str], body: bytes, words: str
) -> None:
    served.status, served.headers, served.body = status, headers, body
    with pytest.raises(Unreadable, match=f"^{words}$"):
        read_document(served.url)
    assert served.asked == 1


def test_a_server_with_a_certificate_that_nobody_vouches_for_is_not_believed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreadable, match=r"^it could not be read \(SSLCertVerificationError\)$"):
        read_document(served.url)
    assert served.asked == 0


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Unreadable, match=r"^it could not be read \(ConnectionRefusedError\)$"):
        read_document("https://127.0.0.1:1/jwks")


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_keys_of_other_kinds_are_left_out(issuer: Issuer) -> None:
    rsa_key, ec_key = jwk(issuer.rsa, "r"), jwk(issuer.ec, "e")
    others = (
        {"kty": "oct", "kid": "o", "k": "AAAA"},
        {"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": "AAAA"},
        jwk(ec.generate_private_key(ec.SECP256R1()), "p256"),
        RSA_1024,
        {**rsa_key, "kid": "enc", "use": "enc"},
        {**rsa_key, "kid": "rs256", "alg": "RS256"},
        {**ec_key, "kid": "wrap", "key_ops": ["wrapKey"]},
        {"kty": ["RSA"], "kid": "odd"},
    )
    found = read_key_set(key_set(*others, rsa_key, {**ec_key, "use": "sig", "alg": "ES384", "key_ops": ["verify"]}))
    assert {kid: key.algorithm_name for kid, key in found.by_id.items()} == {"r": "RS384", "e": "ES384"}
    with pytest.raises(BadKeySet, match=r"^it has no RSA key of 2048 to 8192 bits and no EC key on P-384"):
        read_key_set(key_set(*others))


def test_sets_that_are_refused_whole(issuer: Issuer) -> None:
    good = jwk(issuer.ec, "e")
    for document_, words in (
        (b"", "it is not JSON"),
        (key_set(good)[:-1], "it is not JSON"),  # cut off on its way
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "it is not a JWK set"),
        (b'{"keys": {}}', "it is not a JWK set"),
        (b'{"keys": [1]}', "it is not a JWK set"),
        (key_set(good, {**jwk(issuer.rsa, "r"), "d": "AAAA"}), "it holds a private key"),
        (key_set(good, jwk(issuer.rsa, "e")), "two of its keys have the same kid"),
        (key_set({**good, "x": good["y"]}), "a key in it cannot be read"),  # not on the curve
        (key_set({**good, "x": "AAAA"}), "a key in it cannot be read"),
        (key_set({**good, "x": 7}), "a key in it cannot be read"),
        (key_set({**good, "kid": 7}), "a kid in it is not a text"),
        (key_set({"kty": "RSA", "e": "AQAB"}), "a key in it cannot be read"),
    ):
        with pytest.raises(BadKeySet, match=f"^{words}"):
            read_key_set(document_)


def test_a_very_long_rsa_key_is_left_out() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8193) + 1)
    size = (numbers.n.bit_length() + 7) // 8
    long_key = {"kty": "RSA", "kid": "long", "e": "AQAB", "n": b64(numbers.n.to_bytes(size, "big"))}
    with pytest.raises(BadKeySet, match="it has no RSA key"):
        read_key_set(key_set(long_key))
