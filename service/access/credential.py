"""The header ``Authorization``, as far as its outside goes: one of it, short, ``Bearer`` and one word."""

from __future__ import annotations

import re
from collections.abc import Iterable

from service.problem import Unanswered, unauthenticated

LONGEST = 8 * 1024  # bytes of a credential; refused before anything reads it
_WORD = re.compile(rb"[A-Za-z0-9._-]+")  # of what RFC 6750 allows, the characters of our keys and of a JWT


def authorization(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The value of the header ``authorization`` among an ASGI scope's headers.

    Raises:
        Unanswered: 401, it is there twice. A proxy and we might each believe another one.

    >>> authorization([(b"host", b"h"), (b"authorization", b"Bearer x")])
    b'Bearer x'
    """
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) > 1:
        raise Unanswered(unauthenticated())
    return found[0] if found else None


def read_credential(header: bytes | None) -> str:
    """The word after ``Bearer``.

    Raises:
        Unanswered: 401, for anything else.

    >>> read_credential(b"bearer  abc.def_1-2 ")
    'abc.def_1-2'
    >>> read_credential(b"Basic YTpi")
    Traceback (most recent call last):
    service.problem.Unanswered: unauthenticated
    """
    scheme, _, word = (header or b"").partition(b" ")
    word = word.strip(b" ") if len(word) <= LONGEST else b""
    if scheme.lower() != b"bearer" or _WORD.fullmatch(word) is None:
        raise Unanswered(unauthenticated())
    return word.decode("ascii")
