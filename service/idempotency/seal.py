"""What is kept of a request and its answer: digests, and an answer that nobody can read without the request's key.

Whoever reads the file has neither keys nor callers nor requests. The answers are encrypted (AES-256-GCM) with what
is made of caller and key, which are not in it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12  # bytes
QUICK = 1  # level of compression


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What left: ``outcome`` is what the log said of it, ``head`` where the audit trail ended when it left."""

    status: int
    media_type: str
    outcome: str | None
    content: bytes
    head: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """What stands for a request in the store: digests of caller, of caller and key, and of what was asked."""

    caller: bytes
    name: bytes
    asked: bytes
    secret: bytes  # never stored


def names_of(salt: bytes, caller: str, key: bytes, asked: bytes) -> Names:
    """The names of a request.

    Args:
        salt: of the store, and of the audit trail's key where there is one.
        caller: kind and id. key: as it was sent. asked: path, query and body.
    """
    owner, both = caller.encode("utf-8", "surrogatepass"), _both(caller, key)
    return Names(
        caller=_digest(salt, b"caller", owner),
        name=_digest(salt, b"name", both),
        asked=_digest(salt, b"asked", asked),
        secret=_digest(salt, b"secret", both),
    )


def seal(names: Names, answer: KeptAnswer) -> bytes:
    """The answer, which `unseal` gives back to whoever has the same caller and key.

    >>> names = names_of(b"salt", "key:5f1c", b"7", b"/v1/predict")
    >>> kept = KeptAnswer(200, "application/json", "prediction", b"{}")
    >>> unseal(names, seal(names, kept)) == kept
    True
    """
    head = json.dumps([answer.status, answer.media_type, answer.outcome, answer.head]).encode("ascii")
    nonce = secrets.token_bytes(NONCE)
    plain = zlib.compress(head + b"\n" + answer.content, QUICK)
    sealed: bytes = _cipher(names.secret).encrypt(nonce, plain, names.name)
    return nonce + sealed


def unseal(names: Names, sealed: bytes) -> KeptAnswer:
    """The answer that was sealed.

    Raises:
        ValueError: it was sealed with other names, or was changed.
    """
    from cryptography.exceptions import InvalidTag

    try:
        plain = _cipher(names.secret).decrypt(sealed[:NONCE], sealed[NONCE:], names.name)
    except InvalidTag:
        raise ValueError("not an answer of this key") from None
    head, _, content = zlib.decompress(plain).partition(b"\n")
    status, media_type, outcome, where = json.loads(head)
    return KeptAnswer(status, media_type, outcome, content, where)


def _cipher(secret: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # where no key is ever sent, it is not loaded

    return AESGCM(secret)


def _both(caller: str, key: bytes) -> bytes:
    owner = caller.encode("utf-8", "surrogatepass")
    return b"%d %b %b" % (len(owner), owner, key)


def _digest(salt: bytes, word: bytes, value: bytes) -> bytes:
    return hmac.digest(salt, word + b"\0" + value, hashlib.sha256)
