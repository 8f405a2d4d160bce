"""An issuer's public keys (a JWK set, RFC 7517), each for the one algorithm that its own type decides.

Imports PyJWT and cryptography, which only bearer tokens need: import this module where they are switched on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jwt import PyJWK, PyJWTError

from features.problem import Rejected
from features.strict_json import loads

RSA_BITS = (2048, 8192)  # least; and most, as a longer one makes each verification slow
_ALGORITHMS = {("RSA", ""): "RS384", ("EC", "P-384"): "ES384"}  # of kty and crv
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class BadKeySet(Exception):
    """A document that cannot be used as a key set; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys by ``kid``; ``all`` also holds those without one."""

    all: tuple[PyJWK, ...]
    by_id: Mapping[str, PyJWK]

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key of this id. A token without an id means the only key there is; where there are several, none."""
        if key_id is None:
            return self.all[0] if len(self.all) == 1 else None
        return self.by_id.get(key_id)


def read_key_set(document: bytes) -> KeySet:
    """The usable keys of a JWK set: RSA of 2048 to 8192 bits (RS384) and EC on P-384 (ES384), for signatures.

    Keys of other kinds, which a set may hold for other purposes, are left out.

    Raises:
        BadKeySet: it is no key set, holds a private key, the same id twice, or no usable key.

    >>> read_key_set(b'{"keys": []}')
    Traceback (most recent call last):
    service.access.key_set.BadKeySet: it has no RSA key of 2048 to 8192 bits and no EC key on P-384 for signatures
    """
    usable = [key for found in _members(document) if (key := _usable(found)) is not None]
    if not usable:
        least, most = RSA_BITS
        raise BadKeySet(f"it has no RSA key of {least} to {most} bits and no EC key on P-384 for signatures")
    by_id = {key.key_id: key for key in usable if key.key_id is not None}
    if len(by_id) != sum(key.key_id is not None for key in usable):
        raise BadKeySet("two of its keys have the same kid")
    return KeySet(tuple(usable), by_id)


def _members(document: bytes) -> list[dict[str, object]]:
    try:
        found = loads(document)
    except Rejected:
        raise BadKeySet("it is not JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise BadKeySet("it is not a JWK set")
    if any(key.get("kty") in ("RSA", "EC") and not _PRIVATE.isdisjoint(key) for key in keys):
        raise BadKeySet("it holds a private key: publish public keys only, and replace that one")
    return keys


def _usable(found: dict[str, object]) -> PyJWK | None:
    """The key, if it is one that verifies RS384 or ES384."""
    algorithm = _ALGORITHMS.get((_text(found, "kty"), _text(found, "crv")))
    operations = found.get("key_ops")
    for_signatures = found.get("use", "sig") == "sig" and (
        operations is None or (isinstance(operations, list) and "verify" in operations)
    )
    if algorithm is None or found.get("alg", algorithm) != algorithm or not for_signatures:
        return None
    if not isinstance(found.get("kid"), str | None):
        raise BadKeySet("a kid in it is not a text")
    try:
        key = PyJWK(found, algorithm)
    except (PyJWTError, ValueError, TypeError):
        raise BadKeySet("a key in it cannot be read") from None
    least, most = RSA_BITS
    return key if algorithm == "ES384" or least <= key.key.key_size <= most else None


def _text(found: dict[str, object], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
