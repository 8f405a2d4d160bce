"""A store of keys, and an issuer that signs tokens by hand: with `cryptography`, not with what verifies them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.access.access import Access
from service.access.grant import Grant
from service.access.key_store import add
from service.access.scope import Scope
from service.access.settings import AccessSettings
from service.problem import ProblemDocument, Unanswered

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://login.hospital.example", "https://tregcast.hospital.example"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64_json(value: object) -> str:
    return b64(json.dumps(value).encode())


def b64_int(number: int, size: int | None = None) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def rs384(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA384())


def es384(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")  # RFC 7518, 3.4


def jwk(key: PrivateKey, kid: str | None) -> dict[str, Any]:
    """The public key, as RFC 7518 writes it."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", **named, "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    curve = {"secp384r1": "P-384", "secp256r1": "P-256"}[key.curve.name]
    return {"kty": "EC", **named, "crv": curve, "x": b64_int(point.x, size), "y": b64_int(point.y, size)}


def signed(key: PrivateKey, header: object, claims: object) -> str:
    """A token, whatever its header says, with the signature that the key's type makes."""
    text = f"{b64_json(header)}.{b64_json(claims)}"
    sign = rs384(key, text.encode()) if isinstance(key, rsa.RSAPrivateKey) else es384(key, text.encode())
    return f"{text}.{b64(sign)}"


@dataclass(frozen=True)
class Issuer:
    """An issuer with an RSA key "r" and an EC key "e"."""

    rsa: rsa.RSAPrivateKey
    ec: ec.EllipticCurvePrivateKey

    def jwks(self) -> dict[str, Any]:
        return {"keys": [jwk(self.rsa, "r"), jwk(self.ec, "e")]}

    def claims(self, **other: Any) -> dict[str, Any]:
        """Claims of a good token at `NOW`; ``other`` replaces some, and None takes one away."""
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ward-7", "iat": int(NOW), "exp": int(NOW) + 300}
        all_claims = {**good, "jti": str(time.perf_counter_ns()), "scope": "tregcast.predict", **other}
        return {name: value for name, value in all_claims.items() if value is not None}

    def token(self, alg: str = "ES384", **other: Any) -> str:
        key: PrivateKey = self.rsa if alg == "RS384" else self.ec
        header = {"alg": alg, "kid": "r" if alg == "RS384" else "e", "typ": "JWT"}
        return signed(key, header, self.claims(**other))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer(rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture
def jwks_file(issuer: Issuer, tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(issuer.jwks()), "utf-8")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "keys.sqlite"


@pytest.fixture
def opened() -> Iterator[Callable[[AccessSettings], Access]]:
    """Opens an `Access`, whose issuer's keys have been read, and closes it with the test."""
    found: list[Access] = []

    def opens(settings: AccessSettings) -> Access:
        access = Access(settings)
        found.append(access)
        await_true(lambda: access._bearer is None or access._bearer.keys._keys is not None)
        return access

    yield opens
    for access in found:
        access.close()


@pytest.fixture
def bearer(opened: Callable[[AccessSettings], Access], jwks_file: Path) -> Access:
    return opened(AccessSettings("bearer", None, str(jwks_file), (ISSUER, "second"), (AUDIENCE, "other")))


@pytest.fixture
def by_key(opened: Callable[[AccessSettings], Access], store: Path) -> Access:
    return opened(AccessSettings("keys", store))


def made(store: Path, *scopes: Scope, days: int | None = None, per_minute: int | None = None) -> str:
    """The text of a new key, made at `NOW`."""
    return add(store, Grant("ward 7", frozenset(scopes or ("predict",)), days, per_minute), NOW)[0]


def header(credential: str) -> bytes:
    return b"Bearer " + credential.encode()


def refused(access: Access, credential: str | bytes | None, scope: Scope = "predict", now: float = NOW) -> int:
    """The status that a credential is refused with."""
    return document(access, credential, scope, now).status


def document(
    access: Access, credential: str | bytes | None, scope: Scope = "predict", now: float = NOW
) -> ProblemDocument:
    sent = header(credential) if isinstance(credential, str) else credential
    with pytest.raises(Unanswered) as caught:
        access.admit(sent, scope, now)
    return caught.value.document


def await_true(holds: Callable[[], bool], seconds: float = 10) -> float:
    """How long it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds
        time.sleep(0.02)
    return time.monotonic() - begun
