"""What a person does to a chain, as records of it: go on without lost records, and prune old ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from service.audit.anchor import Anchor, Anchored, HeldAnchor
from service.audit.chain import Head, Row
from service.audit.continuity import Continuity, given_up
from service.audit.key import InputKey
from service.audit.note import Details, NoteKind, note_row
from service.audit.record import fields_of, time_of
from service.audit.store import Session, Store, StoreFailed

ROWS_AT_ONCE = 500  # pruned in one transaction, for which the service waits: some 10 MB


@dataclass(frozen=True, slots=True)
class Tool:
    """A chain that a person works on, beside a service that may run."""

    store: Store
    anchor: Anchor | None
    key: InputKey
    made_by: str

    def accept(
        self, lost: Head | None, store_id: str | None = None, *, by: str, reason: str
    ) -> tuple[Head, Head, Head]:
        """Go on with a store that lacks a record which was seen; a note in the chain says so.

        Args:
            lost: the head that a worker says it knows (``/readyz``, the log); None for what the anchor says.
            store_id: of the store that the head was seen in, where that is another one.
            by: who does it. reason: why, in words that hold nothing of a patient.

        Returns:
            The lost head, the end of the chain that was found, and the end with the note.

        Raises:
            ValueError: nothing is lost: the chain goes on from that head.
            StoreFailed: the store cannot be read or written.
        """
        with self._held() as anchor:
            said = None if anchor is None else anchor.said
            with self.store.session(create=False) as session:
                known = _known(lost, store_id, said, session)
                found = session.head
                if _goes_on(session, known, self.key) and (said is None or _goes_on(session, said, self.key)):
                    raise ValueError(f"nothing is lost: the chain goes on from {known.head}")
                heads = [known] if said in (None, known) or _goes_on(session, said, self.key) else [known, said]
                head = found
                for each in heads:
                    details = {"known": given_up(each), "found": str(found), "by": by, "reason": reason}
                    head = self._add(session, head, "discontinuity", details)
            if anchor is not None:
                anchor.write(session.store_id, head)
        return known.head, found, head

    def prune(self, before: datetime) -> Iterator[int]:
        """Remove the records before a time, from the first one on, and leave a checkpoint that speaks for them.

        It stops at the first record that is not earlier, and never removes what was the last one when it began: the
        head that workers know stays. It works in steps, each
        with a checkpoint of its own, so that a service waits for no more than one, and whatever ends it, the chain
        verifies. Gives how many records each step removed.

        Raises:
            StoreFailed: the store cannot be read or written, or is not the one that the anchor says.
        """
        stop: int | None = None
        while True:
            with self._held() as anchor:
                with self.store.session(create=False) as session:
                    Continuity(self.key).check(session, None if anchor is None else anchor.said)
                    head = session.head
                    stop = head.seq if stop is None else stop
                    rows = _before(session, before, stop)
                    if rows:
                        session.prune(rows[-1].seq)
                        details: Details = {
                            "through": str(Head(rows[-1].seq, rows[-1].hash)),
                            "records": rows[-1].seq,
                            "before": before.isoformat(),
                        }
                        head = self._add(session, head, "checkpoint", details)
                if anchor is not None and rows:
                    anchor.write(session.store_id, head)
            if not rows:
                return
            yield len(rows)

    def _add(self, session: Session, head: Head, kind: NoteKind, details: Details) -> Head:
        row = note_row(head, kind, details, self.key, self.made_by)
        session.insert([row])
        return Head(row.seq, row.hash)

    @contextmanager
    def _held(self) -> Iterator[HeldAnchor | None]:
        if self.anchor is None:
            yield None
        else:
            with self.anchor.held() as anchor:
                yield anchor


def _known(lost: Head | None, store_id: str | None, said: Anchored | None, session: Session) -> Anchored:
    if lost is not None:
        if store_id is None and said is not None and said.head == lost:
            return said
        return Anchored(store_id or session.store_id, lost)
    if said is None:
        raise ValueError("there is no anchor that says what is lost; give --known SEQ:HASH, as /readyz says it")
    return said


def _goes_on(session: Session, known: Anchored, key: InputKey) -> bool:
    try:
        Continuity(key).check(session, known)
    except StoreFailed:
        return False
    return True


def _before(session: Session, before: datetime, stop: int) -> list[Row]:
    """The next rows to prune: those from the first on that are before a time, up to ``stop`` and without it."""
    first = session.first_seq()
    found: list[Row] = []
    for row in [] if first is None else session.rows_from(first, ROWS_AT_ONCE):
        try:
            early = time_of(fields_of(row.body)) < before
        except (ValueError, AttributeError) as error:
            raise StoreFailed("RECORD", f"record {row.seq} cannot be read; run `tregcast audit verify`") from error
        if not early or row.seq >= stop:
            break
        found.append(row)
    return found
