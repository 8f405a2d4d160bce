"""The key of the input digests: who holds it finds equal inputs, and nobody else can guess a patient from one."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from service.settings import Unusable

LEAST_BYTES, MOST_BYTES = 32, 4096
LEAST_DISTINCT = 8  # of 32 random bytes about 30 are distinct; a file of zeros has one
NAME = "TREGCAST_AUDIT_KEY"


@dataclass(frozen=True, slots=True)
class InputKey:
    """A secret key; it is shown nowhere.

    ``name`` tells one key from another, after it was changed, and says nothing of either.

    >>> InputKey(bytes(range(32))).digest(b"{}")
    'hmac-sha256:043d75db:86227fe96722a2247dcfee12c07d89c1b0567bbc9aa6a8d804838f66a3da843f'
    """

    secret: bytes = field(repr=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self._hmac(b"tregcast audit: name of the key")[:8])

    def digest(self, sent: bytes) -> str:
        """``hmac-sha256:``, the key's name, and the HMAC-SHA256 of the bytes in hexadecimal digits."""
        return f"hmac-sha256:{self.name}:{self._hmac(sent)}"

    def sign(self, message: bytes) -> str:
        """``hmac-sha512:``, the key's name, and the HMAC-SHA512 of what the trail itself says.

        Another hash than `digest` has: callers choose what is digested, so no digest may pass for a signature.

        >>> InputKey(bytes(range(32))).sign(b"{}")[:24]
        'hmac-sha512:043d75db:31d'
        """
        return f"hmac-sha512:{self.name}:{hmac.digest(self.secret, message, 'sha512').hex()}"

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether this key made the signature of this message."""
        return hmac.compare_digest(self.sign(message).encode(), signature.encode("utf-8", "replace"))

    def _hmac(self, message: bytes) -> str:
        return hmac.digest(self.secret, message, "sha256").hex()


def make_key(path: Path) -> None:
    """Write a new key of 32 random bytes that only its user may read.

    Raises:
        FileExistsError: there is a file already; a key is never written over.
        OSError: it cannot be written.
    """
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(file, "wb") as output:
        output.write(secrets.token_bytes(LEAST_BYTES))
        output.flush()
        os.fsync(output.fileno())


def read_key(path: Path) -> InputKey:
    """The key in a file.

    Raises:
        Unusable: it cannot be read, is too short, or is plainly not random.
    """
    remedy = f"make one with `tregcast audit key FILE` and name it in {NAME}"
    try:
        with path.open("rb") as file:
            secret = file.read(MOST_BYTES)
    except OSError as error:
        raise Unusable(f"{NAME} = {str(path)!r} cannot be read ({error.strerror}); {remedy}") from None
    if len(secret) < LEAST_BYTES or len(set(secret)) < LEAST_DISTINCT:
        raise Unusable(f"{NAME} = {str(path)!r} holds fewer than {LEAST_BYTES} random bytes; {remedy}")
    return InputKey(secret)
