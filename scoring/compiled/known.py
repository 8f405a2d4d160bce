"""What was computed for patterns of measured inputs, kept for the next rows that have them; bounded."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

MOST = 16384  # patterns: some ten megabytes for eighty inputs


class KnownPatterns:
    """A row of numbers for each pattern. When it is full it starts anew. Safe under threads; pickled it is empty.

    >>> known = KnownPatterns(lambda words: words.astype(float) * 2.0, most=2)
    >>> known.of(np.array([[3], [5]], np.uint64)).ravel().tolist(), len(known)
    ([6.0, 10.0], 2)
    >>> known.of(np.array([[5], [7]], np.uint64)).ravel().tolist(), len(known)
    ([10.0, 14.0], 1)
    """

    def __init__(self, make: Callable[[Words], Floats], most: int = MOST) -> None:
        self._make, self._most = make, most
        self._found: dict[bytes, Floats] = {}
        self._lock = Lock()

    def of(self, words: Words) -> Floats:
        """The rows of different patterns (m, k), (m, c); those not known yet are made together.

        Two threads may make the same one at the same time: neither waits for the other.
        """
        keys = [pattern.tobytes() for pattern in words]
        with self._lock:
            rows = [self._found.get(key) for key in keys]
        missing = [at for at, row in enumerate(rows) if row is None]
        if missing:
            made = self._make(words[missing])
            for at, row in zip(missing, made, strict=True):
                rows[at] = row
            self._keep([keys[at] for at in missing], made)
        return np.array(rows, np.float64)

    def _keep(self, keys: list[bytes], made: Floats) -> None:
        kept = made[: self._most].copy()  # not the caller's
        with self._lock:
            if len(self._found) + len(kept) > self._most:
                self._found.clear()
            self._found.update(zip(keys, kept, strict=False))

    def __len__(self) -> int:
        return len(self._found)

    def __reduce__(self) -> tuple[type[KnownPatterns], tuple[Callable[[Words], Floats], int]]:
        return type(self), (self._make, self._most)
