"""Verifying: whether a store still holds the chain that was written, and if not, where and how it differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from service.audit.anchor import Anchored
from service.audit.chain import Head, Row
from service.audit.record import fields_of
from service.audit.store import Reader, StoreFailed


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: the number of the record that is not as it was written, and what it is."""

    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``head`` is the last record up to which all is well; ``fault`` is None where all is.

    ``withheld`` counts the records that say of an earlier one that its answer never left. ``held_to`` are the heads
    that the chain was held to; where there is none, an end that was cut off cannot be told.
    """

    store_id: str
    head: Head
    withheld: int
    held_to: tuple[Head, ...]
    fault: Fault | None


def verify(reader: Reader, *, expected: Sequence[Head] = (), anchor: Anchored | None = None) -> Verdict:
    """Follow the chain from its first record to its last, in constant memory.

    Args:
        reader: the store.
        expected: heads that the chain once had, as they were kept elsewhere.
        anchor: what the file beside the store says; read it before the store is opened.
    """
    heads = tuple(sorted({*expected, *([anchor.head] if anchor else [])}, key=lambda head: head.seq))
    walk = _Walk(Head(0, reader.store_id), list(heads))
    fault = walk.passed(walk.head)
    if anchor is not None and anchor.store_id != reader.store_id:
        fault = Fault(0, "the anchor is that of another store")
    rows = iter(reader.rows())
    try:
        while fault is None and (row := next(rows, None)) is not None:
            fault = walk.step(row)
    except StoreFailed as error:
        fault = Fault(walk.head.seq + 1, f"the store cannot be read further: {error}")
    if fault is None and walk.ahead:
        last = walk.ahead[-1].seq
        fault = Fault(walk.head.seq + 1, f"cut off: records {walk.head.seq + 1} to {last} were there and are not")
    return Verdict(reader.store_id, walk.head, walk.withheld, heads, fault)


class _Walk:
    """Where a walk along the chain is; ``ahead`` are the heads that it must still pass."""

    def __init__(self, head: Head, ahead: list[Head]) -> None:
        self.head = head
        self.ahead = ahead
        self.withheld = 0

    def step(self, row: Row) -> Fault | None:
        """Go on to a row, if it is the one that comes next."""
        due = self.head.seq + 1
        if row.seq != due:
            return Fault(due, _gap(row.seq, due))
        if not isinstance(row.body, bytes) or row.hash != sha256(row.body).hexdigest():
            return Fault(due, "changed: the record does not have its hash")
        try:
            fields = fields_of(row.body)
        except ValueError as error:
            return Fault(due, f"rewritten: {error}")
        if fields.get("seq") != due or fields.get("before") != self.head.hash:
            told = f"it says that it is record {fields.get('seq')!r:.40}"
            return Fault(due, f"reordered, inserted or rewritten: {told}, or does not follow the one before it")
        if fields.get("output_sha256") != _digest(row.output):
            return Fault(due, "changed: the output is not the one that was recorded")
        self.head = Head(due, row.hash)
        self.withheld += fields.get("withholds") is not None
        return self.passed(self.head)

    def passed(self, head: Head) -> Fault | None:
        """Hold a head to those that were expected at its place."""
        while self.ahead and self.ahead[0].seq == head.seq:
            if self.ahead.pop(0).hash != head.hash:
                return Fault(head.seq, "rewritten: an expected head has another hash for this record")
        return None


def _gap(found: object, due: int) -> str:
    if isinstance(found, int) and found > due:
        return f"removed: records {due} to {found - 1} are missing" if found > due + 1 else "removed: it is missing"
    return "inserted: there is a second record of an earlier number"


def _digest(output: object) -> str | None:
    """The sha256 of an output; of what is neither bytes nor None, a text that no record has."""
    if output is None:
        return None
    return sha256(output).hexdigest() if isinstance(output, bytes) else "not bytes"
