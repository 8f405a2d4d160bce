"""The ids that a caller gives its request: ``x-request-id`` and ``traceparent`` (W3C Trace Context)."""

from __future__ import annotations

import re
from collections.abc import Iterable

REQUEST_ID, TRACEPARENT = b"x-request-id", b"traceparent"
# One with a digit in it, as machines make them. A word alone could be a name, and a short number a patient's; the
# id stands in the log.
_ID = re.compile(rb"(?=[^0-9]*[0-9])(?![0-9]{1,15}\Z)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_PARENT = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-[!-~]{0,100})?"
)
Headers = Iterable[tuple[bytes, bytes]]


def request_id_of(headers: Headers) -> str | None:
    """The caller's id of the request, where it sent one, once, and of this shape: another is left aside.

    >>> [request_id_of([(b"x-request-id", sent)]) for sent in (b"5f1c-07", b"Jane Doe", b"Doe", b"1234567", b"")]
    ['5f1c-07', None, None, None, None]
    """
    sent = _only(headers, REQUEST_ID)
    return sent.decode("ascii") if sent is not None and _ID.fullmatch(sent) else None


def traceparent_of(headers: Headers) -> str | None:
    """The caller's place in its trace, where it sent one, once, as W3C writes it.

    >>> sent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    >>> traceparent_of([(b"traceparent", sent)]) == sent.decode()
    True
    >>> traceparent_of([(b"traceparent", sent.upper())]) is None
    True
    """
    sent = _only(headers, TRACEPARENT)
    parts = None if sent is None else _PARENT.fullmatch(sent)
    if sent is None or parts is None or parts["version"] == b"ff":
        return None
    if (
        (parts["version"] == b"00" and parts["more"])
        or not parts["trace"].strip(b"0")
        or not parts["span"].strip(b"0")
    ):
        return None
    return sent.decode("ascii")


def trace_id_of(traceparent: str) -> str:
    """The trace's id in a ``traceparent``.

    >>> trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    return traceparent.split("-")[1]


def _only(headers: Headers, wanted: bytes) -> bytes | None:
    found = [value for name, value in headers if name == wanted]
    return found[0].strip() if len(found) == 1 else None
