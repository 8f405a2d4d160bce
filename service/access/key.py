"""An API key: ``tregcast_``, eight digits that name it, and a secret that is shown once.

What is kept is a SHA-256 digest. A slow password hash protects words that people choose, which can be guessed by
the million; the secret here is 32 random bytes, and 2**256 cannot be guessed at any speed. A slow hash would only
let strangers buy our processor time, a fraction of a second for each wrong key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal

from service.access.scope import Scope

PREFIX = "tregcast_"
SECRET_BYTES = 32
_TEXT = re.compile(r"tregcast_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of a key. Times are whole seconds since 1970; the digest is no secret, but needs no reader."""

    id: str
    name: str
    scopes: frozenset[Scope]
    per_minute: int | None
    created: int
    expires: int | None
    revoked: int | None
    digest: bytes = field(repr=False)

    def state(self, now: float) -> Literal["active", "expired", "revoked"]:
        """What has become of it."""
        expired = self.expires is not None and now >= self.expires
        return "revoked" if self.revoked is not None else "expired" if expired else "active"


# Compared with where there is no key of an id, so that the same is done as for one that is there. It admits nobody:
# no text is known whose digest is 32 zeros, and it has no scope.
NOBODY = StoredKey("", "", frozenset(), None, 0, None, None, bytes(32))


def new_key() -> tuple[str, str]:
    """The id and the text of a new key.

    >>> key_id, text = new_key()
    >>> id_of(text) == key_id, len(text)
    (True, 61)
    """
    key_id = secrets.token_hex(4)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode("ascii")
    return key_id, f"{PREFIX}{key_id}_{secret}"


def id_of(text: str) -> str | None:
    """The id in the text of a key; None if it is not of a key's shape, which is no secret.

    >>> id_of("tregcast_0011aabb_" + 43 * "-"), id_of("tregcast_0011aabb_short")
    ('0011aabb', None)
    """
    found = _TEXT.fullmatch(text)
    return None if found is None else found[1]


def digest(text: str) -> bytes:
    """The 32 bytes that are kept of the whole text, id and all: a digest under another id fits nothing."""
    return hashlib.sha256(text.encode("ascii")).digest()


def fits(kept: StoredKey, text: str, now: float) -> bool:
    """Whether this text is that key, and the key is active. The same steps whichever of them fails.

    >>> key_id, text = new_key()
    >>> kept = StoredKey(key_id, "ward 7", frozenset({"predict"}), None, 0, 100, None, digest(text))
    >>> fits(kept, text, now=99.9), fits(kept, text, now=100), fits(NOBODY, text, now=0)
    (True, False, False)
    """
    same = hmac.compare_digest(kept.digest, digest(text))
    return same & (kept.state(now) == "active")
