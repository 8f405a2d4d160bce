"""The chain: each record holds the hash of the one before, so none is changed, left out or moved unseen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from service.audit.record import AuditRecord, Entry

_HEAD = re.compile(r"(0|[1-9][0-9]{0,17}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the number of its last record and that record's hash.

    Of an empty chain it is 0 and the id of the store.

    >>> str(Head(7, "ab" * 32))[:12]
    '7:ababababab'
    """

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Row(NamedTuple):
    """A record as a store keeps it. ``hash`` is the sha256 of ``body``, in hexadecimal digits."""

    seq: int
    body: bytes
    output: bytes | None
    hash: str


def read_head(text: str) -> Head:
    """The head that `Head` writes.

    Raises:
        ValueError: the text is none.

    >>> read_head("7:" + "ab" * 32).seq
    7
    >>> read_head("7")
    Traceback (most recent call last):
    ValueError: '7' is not SEQ:HASH; give a head as `tregcast audit verify` says it
    """
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not SEQ:HASH; give a head as `tregcast audit verify` says it")
    return Head(int(found[1]), found[2])


def link(
    head: Head, entry: Entry, made_by: str, withholds: int | None = None, clock_back_s: float | None = None
) -> Row:
    """The row that comes after ``head``.

    >>> from service.audit.record import Caller
    >>> entry = Entry("5f1c", Caller("clinic-7", "key"), "0" * 64, "hmac-sha256:...", "rejected", ("missing_unit",))
    >>> row = link(Head(0, "ab" * 32), entry, "tregcast 0.1.0")
    >>> row.seq, row.output, row.hash == sha256(row.body).hexdigest()
    (1, None, True)
    """
    output = entry.output
    output_sha256 = None if output is None else sha256(output).hexdigest()
    body = AuditRecord(head.seq + 1, head.hash, made_by, entry, withholds, clock_back_s).body(output_sha256)
    return Row(head.seq + 1, body, output, sha256(body).hexdigest())
