"""Verifying: whether a store still holds the chain that was written, and if not, where and how it differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from service.audit.anchor import Anchored
from service.audit.chain import Head, Row
from service.audit.chain_clock import SECONDS_IN_QUEUE
from service.audit.continuity import pruned_head
from service.audit.key import InputKey
from service.audit.note import Note, is_note, read_note
from service.audit.record import fields_of, time_of
from service.audit.store import Reader, StoreFailed

MOST_NOTES = 100  # that are listed; a chain has few


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: the number of the record that is not as it was written, and what it is."""

    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``head`` is the last record up to which all is well; ``fault`` is None where all is.

    ``withheld`` counts the records that say of an earlier one that its answer never left. ``held_to`` are the heads
    that the chain was held to; where there is none, an end that was cut off cannot be told. ``pruned`` is the last
    record that was pruned, and ``pruned_heads`` are expected heads before it, which the chain cannot be held to.
    ``notes`` are no faults, and are to be read: where the clock went back, a discontinuity, a new anchor.
    """

    store_id: str
    head: Head
    withheld: int
    held_to: tuple[Head, ...]
    fault: Fault | None
    pruned: Head | None = None
    pruned_heads: tuple[Head, ...] = ()
    notes: tuple[Fault, ...] = ()

    @property
    def records(self) -> int:
        """How many records up to the head are there."""
        return self.head.seq - (0 if self.pruned is None else self.pruned.seq)


def verify(
    reader: Reader,
    *,
    expected: Sequence[Head] = (),
    anchor: Anchored | None = None,
    key: InputKey | None = None,
) -> Verdict:
    """Follow the chain from its first record to its last, in constant memory.

    Args:
        reader: the store.
        expected: heads that the chain once had, as they were kept elsewhere.
        anchor: what the file beside the store says; read it before the store is opened.
        key: the key of the trail, which signs its notes; without it their signatures are not checked.
    """
    heads = tuple(sorted({*expected, *([anchor.head] if anchor else [])}, key=lambda head: head.seq))
    rows = iter(reader.rows())
    walk = _Walk(Head(0, reader.store_id), list(heads), key)
    try:
        first = next(rows, None)
        _begin(walk, first)
        fault = walk.passed(walk.head)
        if anchor is not None and anchor.store_id != reader.store_id:
            fault = Fault(0, "the anchor is that of another store")
        row = first
        while fault is None and row is not None:
            fault = walk.step(row)
            row = next(rows, None) if fault is None else None
        fault = _missing_start(walk, fault, rows)
    except StoreFailed as error:
        fault = Fault(walk.head.seq + 1, f"the store cannot be read further: {error}")
    if fault is None and walk.ahead:
        last = walk.ahead[-1].seq
        fault = Fault(walk.head.seq + 1, f"cut off: records {walk.head.seq + 1} to {last} were there and are not")
    head = Head(0, reader.store_id) if fault is not None and fault.seq <= 1 else walk.head
    pruned = None if fault is not None and fault.seq <= 1 else walk.start
    held = tuple(each for each in heads if each not in walk.pruned_heads)
    return Verdict(
        reader.store_id, head, walk.withheld, held, fault, pruned, tuple(walk.pruned_heads), tuple(walk.notes)
    )


def _begin(walk: _Walk, first: Row | None) -> None:
    """Begin at the first record there is, which may follow pruned ones; a checkpoint must say so further on."""
    if first is None or not isinstance(first.seq, int) or first.seq <= 1 or not isinstance(first.body, bytes):
        return
    try:
        before = fields_of(first.body).get("before")
    except ValueError:
        return
    walk.begin_after(Head(first.seq - 1, str(before)))


def _missing_start(walk: _Walk, fault: Fault | None, rest: Iterator[Row]) -> Fault | None:
    """The fault of records that are missing at the start and that no checkpoint speaks for; else the one found."""
    if walk.start is None or walk.vouched:
        return fault
    for row in rest:
        if is_note(row.body):
            walk.vouch(row.body)
    return fault if walk.vouched else Fault(1, _gap(walk.start.seq + 1, 1))


@dataclass(slots=True)
class _Walk:
    """Where a walk along the chain is; ``ahead`` are the heads that it must still pass."""

    head: Head
    ahead: list[Head]
    key: InputKey | None
    withheld: int = 0
    start: Head | None = None  # the last pruned record, as the first one that is there names it
    vouched: bool = False
    pruned_heads: list[Head] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    last: datetime | None = None

    def begin_after(self, start: Head) -> None:
        """Begin after a record that is not there any more."""
        self.head = self.start = start
        self.pruned_heads = [head for head in self.ahead if head.seq < start.seq]
        self.ahead = [head for head in self.ahead if head.seq >= start.seq]

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
        self._look_at_time(fields)
        return (self._noted(due, row.body) if is_note(row.body) else None) or self.passed(self.head)

    def passed(self, head: Head) -> Fault | None:
        """Hold a head to those that were expected at its place."""
        while self.ahead and self.ahead[0].seq == head.seq:
            if self.ahead.pop(0).hash != head.hash:
                return Fault(head.seq, "rewritten: an expected head has another hash for this record")
        return None

    def vouch(self, body: bytes) -> None:
        """Take a checkpoint's word for the start of the chain."""
        try:
            note = read_note(body)
        except ValueError:
            return
        good = self.key is None or note.signed_by(self.key) or not self._signs(note)
        self.vouched |= note.kind == "checkpoint" and good and pruned_head(note.details.get) == self.start

    def _noted(self, seq: int, body: bytes) -> Fault | None:
        try:
            note = read_note(body)
        except ValueError as error:
            return Fault(seq, f"rewritten: {error}")
        if self.key is not None and self._signs(note) and not note.signed_by(self.key):
            return Fault(seq, "forged: the note is not signed with the key of the trail")
        self.vouch(body)
        self._note(seq, _words(note, checked=self.key is not None and self._signs(note)))
        return None

    def _signs(self, note: Note) -> bool:
        """Whether the key that is known is the one that a note names; keys may have been changed since."""
        return self.key is not None and note.signature.split(":")[1:2] == [self.key.name]

    def _look_at_time(self, fields: dict[str, object]) -> None:
        try:
            time = time_of(fields)
        except ValueError:
            return  # `search` and `show` tell of it; the chain holds
        back = 0.0 if self.last is None else (self.last - time).total_seconds()
        if "clock_back_s" in fields or back > SECONDS_IN_QUEUE:
            self._note(self.head.seq, f"the clock went back: its time is {back:g} s before that of earlier ones")
            self.last = time
        elif back <= 0:
            self.last = time

    def _note(self, seq: int, words: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Fault(seq, words))
        elif len(self.notes) == MOST_NOTES:
            self.notes.append(Fault(seq, "and more notes from here on"))


def _words(note: Note, *, checked: bool) -> str:
    details = note.details
    unchecked = "" if checked else "; its signature was not checked, for want of its key"
    match note.kind:
        case "checkpoint":
            return f"{details.get('records')} records up to {details.get('through')} were pruned{unchecked}"
        case "discontinuity":
            lost = str(details.get("known", "")).rpartition(" ")[2]
            said = f"a person ({details.get('by')!r}) went on without {lost}, after {details.get('found')}"
            return f"discontinuity: {said}; reason {details.get('reason')!r}{unchecked}"
        case "anchor_made":
            return f"a new anchor was made after {details.get('head')}{unchecked}"


def _gap(found: object, due: int) -> str:
    if isinstance(found, int) and found > due:
        return f"removed: records {due} to {found - 1} are missing" if found > due + 1 else "removed: it is missing"
    return "inserted: there is a second record of an earlier number"


def _digest(output: object) -> str | None:
    """The sha256 of an output; of what is neither bytes nor None, a text that no record has."""
    if output is None:
        return None
    return sha256(output).hexdigest() if isinstance(output, bytes) else "not bytes"
