"""The head that running workers know: where they saw the chain end, kept where no copy can put it back."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from service.audit.anchor import Anchored, parse_anchored


class KnownHead:
    """A file without a name that processes share which are forked after it was made; it ends with the last of them.

    The anchor lies where a restore may put it back together with the store; this does not.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())

    def read(self) -> Anchored | None:
        """The id of the store and its head; None before anything was seen."""
        with self._locked(fcntl.LOCK_SH):
            return self._read()

    def write(self, seen: Anchored, instead_of: Anchored | None = None) -> None:
        """Know this head from now on, unless a later one of the same store is known by now.

        Args:
            seen: the head.
            instead_of: one that a person gave up: it is replaced, though it was later.
        """
        with self._locked(fcntl.LOCK_EX):
            known = self._read()
            later = known is not None and known.store_id == seen.store_id and known.head.seq > seen.head.seq
            if not later or known == instead_of:
                os.pwrite(self._file, seen.line(), 0)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)

    def _read(self) -> Anchored | None:
        return parse_anchored("what the service knows of its audit trail", os.pread(self._file, 256, 0))

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        fcntl.lockf(self._file, kind)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
