"""The issuer's keys as the service has them: read by a thread in the background, never by a request."""

from __future__ import annotations

import logging
import sys
from threading import Condition, Thread
from time import monotonic

from service import log
from service.access.key_document import Unreadable, read_document
from service.access.key_set import BadKeySet, KeySet, read_key_set
from service.problem import Unanswered, unavailable

READ_EVERY = 300.0  # seconds: so long may a key that the issuer withdrew be trusted
NOT_BEFORE = 30.0  # seconds between two readings, whatever is asked and whatever failed
LONGEST_UNREAD = 3600.0  # seconds that the last good keys serve while reading fails
UNREAD = "they have not been read yet"
RETRY_AFTER = 5  # seconds, as a caller is told


class IssuerKeys:
    """Reads a key set at once, then every five minutes; sooner where a request names a key that is not in it.

    However many requests do so, two readings are never begun within 30 seconds of each other.
    """

    def __init__(self, place: str, *, read_every: float = READ_EVERY, not_before: float = NOT_BEFORE) -> None:
        self._place = place
        self._read_every = read_every
        self._not_before = not_before
        self._changed = Condition()
        self._keys: KeySet | None = None
        self._read_at = self._begun = monotonic()
        self._reading = True  # from the first moment on: nobody needs to ask for the first reading
        self._closed = False
        self._fault = UNREAD
        self._thread = Thread(target=self._run, name="issuer's keys", daemon=True)
        self._thread.start()

    def current(self) -> KeySet:
        """The keys.

        Raises:
            Unanswered: 503, there are none, or they are too old to be trusted.
        """
        keys = self._keys
        if keys is None or monotonic() - self._read_at > LONGEST_UNREAD:
            raise Unanswered(unavailable(f"does not have the issuer's keys: {self._fault}", RETRY_AFTER))
        return keys

    def trouble(self) -> tuple[str, str] | None:
        """A code and words where no token can be verified; None where they can."""
        try:
            self.current()
        except Unanswered:
            code = "not_yet_read" if self._fault == UNREAD else "unusable"
            return code, f"the issuer's keys cannot be used: {self._fault}"
        return None

    def ask(self) -> bool:
        """Ask for the keys to be read again now; False where they were read a moment ago."""
        with self._changed:
            if not self._reading and monotonic() - self._begun < self._not_before:
                return False
            self._reading = True
            self._changed.notify()
            return True

    def close(self) -> None:
        """End the thread, without waiting for a reading under way."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while not self._closed:
            self._begun = monotonic()
            fault = self._read()
            with self._changed:
                self._reading = False
                until = self._begun + (self._read_every if fault is None else self._not_before)
                while not (self._closed or self._reading) and (left := until - monotonic()) > 0:
                    self._changed.wait(left)
                self._reading = True

    def _read(self) -> str | None:
        """Read them; why they could not be, or None."""
        try:
            keys = read_key_set(read_document(self._place))
        except (Unreadable, BadKeySet) as error:
            self._fault = str(error)
            log.write(logging.ERROR, f"issuer's keys: {error}")
            return self._fault
        except Exception as error:  # the thread must live: without it the keys grow old and nobody is admitted
            self._fault = "a fault in the service"
            where = log.place(sys.exc_info()[2])
            log.write(logging.ERROR, "issuer's keys: fault", exception=type(error).__name__, where=where)
            return self._fault
        self._fault = "they are too old"
        self._keys, self._read_at = keys, monotonic()
        return None
