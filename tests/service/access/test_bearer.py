"""Tokens of an issuer: the good ones, and every way to forge, bend or keep one."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.access.access import Access
from service.access.caller import Caller
from service.access.settings import AccessSettings
from tests.service.access.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    Issuer,
    b64,
    b64_json,
    document,
    es384,
    header,
    jwk,
    refused,
    signed,
)

AT = int(NOW)


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_good_token_admits_its_subject_once(bearer: Access, issuer: Issuer, alg: str) -> None:
    token = issuer.token(alg)
    expected = hashlib.sha256(f"{len(ISSUER)} {ISSUER} ward-7".encode()).hexdigest()[:16]
    assert bearer.admit(header(token), "predict", NOW) == Caller(expected, "ward-7", "bearer")
    assert refused(bearer, token) == 401
    assert refused(bearer, token, now=NOW + 359.9) == 401
    assert bearer.admit(header(issuer.token(alg)), "predict", NOW).id == expected


def test_the_same_jti_of_another_token_is_a_replay_but_not_of_another_issuer(
    bearer: Access, issuer: Issuer
) -> None:
    bearer.admit(header(issuer.token(jti="one")), "predict", NOW)
    assert refused(bearer, issuer.token(jti="one", exp=AT + 200)) == 401
    bearer.admit(header(issuer.token(jti="one", iss="second")), "predict", NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["elsewhere", AUDIENCE]},
        {"aud": "other"},
        {"iss": "second"},
        {"nbf": AT + 60},
        {"iat": AT + 60, "exp": AT + 360},
        {"iat": AT - 300, "exp": AT - 59},
        {"iat": AT - 0.5, "exp": AT + 299.5},
        {"scope": "openid tregcast.predict"},
    ],
    ids=str,
)
def test_claims_that_are_good(bearer: Access, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert bearer.admit(header(issuer.token(**claims)), "predict", NOW).kind == "bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.other.example"},
        {"iss": ISSUER + "/"},
        {"iss": ISSUER[:-1]},
        {"iss": [ISSUER]},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": AUDIENCE[:-1]},
        {"aud": []},
        {"aud": {AUDIENCE: 1}},
        {"aud": [AUDIENCE, 1]},
        {"aud": None},
        {"exp": AT - 60, "iat": AT - 360},
        {"exp": None},
        {"exp": str(AT + 300)},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": True},
        {"exp": AT + 301},
        {"exp": AT + 300.5},
        {"exp": AT - 1},
        {"iat": AT + 61, "exp": AT + 361},
        {"iat": None},
        {"iat": "now"},
        {"iat": -1},
        {"nbf": AT + 61},
        {"nbf": "soon"},
        {"nbf": [AT]},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "a" * 201},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "\ud800"},
    ],
    ids=str,
)
def test_claims_that_are_not(bearer: Access, issuer: Issuer, claims: dict[str, Any]) -> None:
    for alg in ("RS384", "ES384"):
        assert refused(bearer, issuer.token(alg, **claims)) == 401


def test_a_token_without_the_scope_is_known_and_not_allowed(bearer: Access, issuer: Issuer) -> None:
    for scope in (None, "", "predict", "tregcast.batch", "tregcast.predictt", ["tregcast.predict"], 1):
        found = document(bearer, issuer.token(scope=scope))
        assert found.status == 403
        assert found.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="predict"')
    assert bearer.admit(header(issuer.token(scope="tregcast.batch")), "batch", NOW).kind == "bearer"


def test_no_algorithm_is_no_signature(bearer: Access, issuer: Issuer) -> None:
    for alg in ("none", "None", "NONE", "", None):
        for kid in ("r", "e"):
            text = f"{b64_json({'alg': alg, 'kid': kid})}.{b64_json(issuer.claims())}"
            assert refused(bearer, f"{text}.") == 401
            assert refused(bearer, f"{text}.{b64(bytes(96))}") == 401


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(bearer: Access, issuer: Issuer, alg: str) -> None:
    public = issuer.rsa.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), der, json.dumps(jwk(issuer.rsa, "r")).encode()):
        text = f"{b64_json({'alg': alg, 'kid': 'r'})}.{b64_json(issuer.claims())}"
        signature = hmac.digest(secret, text.encode(), getattr(hashlib, f"sha{alg[2:]}"))
        assert refused(bearer, f"{text}.{b64(signature)}") == 401


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [
        ("ec", "RS384", "e"),  # the EC key, called RSA
        ("ec", "RS384", "r"),
        ("rsa", "ES384", "e"),
        ("rsa", "ES384", "r"),
        ("rsa", "RS256", "r"),
        ("rsa", "RS512", "r"),
        ("rsa", "PS384", "r"),
        ("ec", "ES256", "e"),
        ("ec", "ES384", "r"),
        ("rsa", "RS384", "e"),
    ],
)
def test_the_keys_own_type_decides_the_algorithm(
    bearer: Access, issuer: Issuer, key: str, alg: str, kid: str
) -> None:
    token = signed(getattr(issuer, key), {"alg": alg, "kid": kid}, issuer.claims())
    assert refused(bearer, token) == 401


def test_another_issuers_key_under_a_known_id(bearer: Access, issuer: Issuer) -> None:
    for key, alg, kid in (
        (rsa.generate_private_key(65537, 2048), "RS384", "r"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384", "e"),
    ):
        assert refused(bearer, signed(key, {"alg": alg, "kid": kid}, issuer.claims())) == 401


def test_the_key_that_a_token_brings_or_points_to_is_not_used(bearer: Access, issuer: Issuer) -> None:
    own = ec.generate_private_key(ec.SECP384R1())
    for brought in ({"jwk": jwk(own, "e")}, {"jku": "https://127.0.0.1:1/"}, {"x5u": "https://127.0.0.1:1/"}):
        assert refused(bearer, signed(own, {"alg": "ES384", "kid": "e", **brought}, issuer.claims())) == 401


def test_extensions_that_must_be_understood_are_not(bearer: Access, issuer: Issuer) -> None:
    for extension in ({"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"crit": []}, {"b64": False}):
        token = signed(issuer.ec, {"alg": "ES384", "kid": "e", **extension}, issuer.claims())
        assert refused(bearer, token) == 401


def test_without_a_kid_a_token_means_the_only_key_and_none_of_several(
    bearer: Access, issuer: Issuer, opened: Callable[[AccessSettings], Access], tmp_path: Path
) -> None:
    def token() -> str:
        return signed(issuer.ec, {"alg": "ES384"}, issuer.claims())

    assert refused(bearer, token()) == 401
    (tmp_path / "one.json").write_text(json.dumps({"keys": [jwk(issuer.ec, "e")]}), "utf-8")
    one = opened(AccessSettings("bearer", None, str(tmp_path / "one.json"), (ISSUER,), (AUDIENCE,)))
    assert one.admit(header(token()), "predict", NOW).kind == "bearer"
    assert refused(one, signed(issuer.rsa, {"alg": "RS384"}, issuer.claims())) == 401
    assert refused(one, signed(issuer.ec, {"alg": "ES384", "kid": None}, issuer.claims())) == 401


@pytest.mark.parametrize("segment", ["header", "payload"])
def test_bottomless_and_odd_json(bearer: Access, issuer: Issuer, segment: str) -> None:
    good = b64_json({"alg": "ES384", "kid": "e"})
    for odd in (b"[" * 4000, b"[]", b"null", b"{", b"\xff", b'{"exp": 1' + b"0" * 4500 + b"}", b"", b"9" * 4400):
        texts = f"{b64(odd)}.{b64_json(issuer.claims())}" if segment == "header" else f"{good}.{b64(odd)}"
        assert refused(bearer, f"{texts}.{b64(es384(issuer.ec, texts.encode()))}") == 401


@pytest.mark.parametrize(
    ("head", "claims"),
    [
        ('{"alg": "none", "alg": "ES384", "kid": "e"}', "{}"),
        ('{"alg": "ES384", "alg": "ES384", "kid": "e"}', "{}"),
        ('{"alg": "ES384", "kid": "r", "kid": "e"}', "{}"),
        ('{"alg": "ES384", "kid": "e", "typ": {"a": 1, "a": 2}}', "{}"),
        ('{"alg": "ES384", "kid": "e"}', '{"sub": "someone-else"}'),
        ('{"alg": "ES384", "kid": "e"}', '{"exp": 1}'),
        ('{"alg": "ES384", "kid": "e"}', '{"scope": "tregcast.admin"}'),
        ('{"alg": "ES384", "kid": "e"}', '{"more": {"a": 1, "a": 1}}'),
        ('{"alg": "ES384", "kid": "e"}', '{"more": NaN}'),
    ],
)
def test_members_that_stand_twice(bearer: Access, issuer: Issuer, head: str, claims: str) -> None:
    """The last would be believed here, the first by another; rightly signed all the same."""
    good = json.dumps(issuer.claims())
    both = good if claims == "{}" else claims[:-1] + ", " + good[1:]
    text = f"{b64(head.encode())}.{b64(both.encode())}"
    assert refused(bearer, f"{text}.{b64(es384(issuer.ec, text.encode()))}") == 401


def test_an_empty_or_zero_signature(bearer: Access, issuer: Issuer) -> None:
    text, _, _ = issuer.token().rpartition(".")
    for signature in ("", b64(bytes(96)), b64(bytes(95)), b64(bytes(97)), b64(b"\xff" * 96)):
        assert refused(bearer, f"{text}.{signature}") == 401


def test_a_key_is_not_looked_for_among_tokens_nor_a_token_among_keys(
    bearer: Access, by_key: Access, issuer: Issuer
) -> None:
    assert refused(bearer, "tregcast_00000000_" + 43 * "a") == 401
    assert refused(by_key, issuer.token()) == 401
