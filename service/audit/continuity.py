"""Whether a store still goes on from where it was seen last; if not, nothing is recorded until a person acts."""

from __future__ import annotations

from collections.abc import Callable

from service.audit.anchor import Anchored
from service.audit.chain import Head, read_head
from service.audit.key import InputKey
from service.audit.note import signed_notes
from service.audit.store import Discontinuity, Session


class Continuity:
    """Holds a store to heads that were seen in it.

    Another head is let pass only where the chain itself says why: a person went on without it (``discontinuity``),
    or the record was pruned (``checkpoint``); the notes that say so are signed with the key of the trail. They are
    looked for once for each state of the store, because that reads all of it.
    """

    def __init__(self, key: InputKey) -> None:
        self._key = key
        self._refused: tuple[Anchored, Anchored] | None = None

    def check(self, session: Session, known: Anchored | None) -> bool:
        """Whether a person gave this head up; False where the chain goes on from it.

        Raises:
            Discontinuity: the store is another one, or its end was cut off or rewritten.
        """
        if known is None:
            return False
        found = Anchored(session.store_id, session.head)
        if _goes_on(session, known):
            return False
        if self._refused != (known, found):
            if _given_up(session, known, self._key):
                return True
            if _pruned(session, known, self._key):
                return False
        self._refused = (known, found)
        code = "CUT_OFF" if known.store_id == session.store_id else "ANOTHER_STORE"
        raise Discontinuity(code, known.head, session.head, known.store_id)


def given_up(known: Anchored) -> str:
    """A lost head as a discontinuity names it."""
    return f"{known.store_id} {known.head}"


def pruned_head(details: Callable[[str], object]) -> Head | None:
    """The last pruned record as a checkpoint names it."""
    try:
        return read_head(str(details("through")))
    except ValueError:
        return None


def _goes_on(session: Session, known: Anchored) -> bool:
    if known.store_id != session.store_id:
        return False
    return known.head == session.head or session.hash_at(known.head.seq) == known.head.hash


def _given_up(session: Session, known: Anchored, key: InputKey) -> bool:
    notes = signed_notes(session.notes(), "discontinuity", key)
    return any(note.details.get("known") == given_up(known) for note in notes)


def _pruned(session: Session, known: Anchored, key: InputKey) -> bool:
    """Whether the record of a head lies before the first one, where a checkpoint says that those were pruned."""
    first = session.first_seq()
    if known.store_id != session.store_id or first is None or known.head.seq >= first:
        return False
    heads = [pruned_head(note.details.get) for note in signed_notes(session.notes(), "checkpoint", key)]
    return any(head is not None and head.seq == first - 1 for head in heads)
