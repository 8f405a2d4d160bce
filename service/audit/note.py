"""A note: what the chain says of itself, between the records of answers, signed with the key of the trail.

``discontinuity``: a person goes on with a store that lacks records which were written; ``checkpoint``: the records
up to one of them were pruned; ``anchor_made``: from here on the chain is held to a new anchor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, get_args

from service.audit.chain import Head, Row
from service.audit.key import InputKey
from service.audit.record import canonical, fields_of, time_of, time_text

NoteKind = Literal["anchor_made", "checkpoint", "discontinuity"]
KINDS: tuple[NoteKind, ...] = get_args(NoteKind)
MARK = b'"note":"'  # in the body of every note, and of nothing else: in texts the quotation marks are escaped
Details = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Note:
    """One note as it stands in the chain. ``signature`` is ``hmac-sha512:KEY NAME:DIGEST`` of all the rest."""

    seq: int
    before: str
    made_by: str
    kind: NoteKind
    time: datetime
    details: Details
    signature: str = ""

    def signed_by(self, key: InputKey) -> bool:
        """Whether this key signed it."""
        return key.signed(self._signed_bytes(), self.signature)

    def body(self) -> bytes:
        """The canonical bytes."""
        return canonical({**self._fields(), "signature": self.signature})

    def _signed_bytes(self) -> bytes:
        return canonical(self._fields())

    def _fields(self) -> dict[str, object]:
        return {
            "before": self.before,
            "details": dict(self.details),
            "made_by": self.made_by,
            "note": self.kind,
            "output_sha256": None,
            "seq": self.seq,
            "time": time_text(self.time),
        }


def note_row(head: Head, kind: NoteKind, details: Details, key: InputKey, made_by: str) -> Row:
    """The row of a new note after ``head``, of this moment.

    >>> row = note_row(Head(4, "ab" * 32), "anchor_made", {"head": "4:ab"}, InputKey(bytes(range(32))), "tregcast")
    >>> read_note(row.body).signed_by(InputKey(bytes(range(32)))), MARK in row.body, row.seq
    (True, True, 5)
    """
    note = Note(head.seq + 1, head.hash, made_by, kind, datetime.now(UTC), details)
    body = Note(note.seq, note.before, made_by, kind, note.time, details, key.sign(note._signed_bytes())).body()
    return Row(note.seq, body, None, sha256(body).hexdigest())


def is_note(body: object) -> bool:
    """Whether a row's body is that of a note."""
    return isinstance(body, bytes) and MARK in body


def read_note(body: bytes) -> Note:
    """The note of which these are the bytes.

    Raises:
        ValueError: they are not those of a note.
    """
    found = fields_of(body)
    kind, details = found.get("note"), found.get("details")
    texts = [found.get(name) for name in ("before", "made_by", "signature")]
    seq = found.get("seq")
    known = next((each for each in KINDS if each == kind), None)
    if known is None or not isinstance(details, dict) or not isinstance(seq, int):
        raise ValueError("not a note of a kind that this version knows")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a note: a text in it is missing")
    before, made_by, signature = map(str, texts)
    return Note(seq, before, made_by, known, time_of(found), details, signature)


def signed_notes(bodies: Iterable[bytes], kind: NoteKind, key: InputKey) -> list[Note]:
    """Those of a kind that this key signed; what is no note is left out."""
    found: list[Note] = []
    for body in bodies:
        try:
            note = read_note(body)
        except ValueError:
            continue
        if note.kind == kind and note.signed_by(key):
            found.append(note)
    return found
