"""What was computed for a pattern of measured markers, kept for the next row that has it; bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

LARGEST = 4096  # patterns


class PatternCache(Generic[T]):
    """Least recently used goes first; safe under threads. Copied or pickled it is empty.

    >>> cache = PatternCache(largest=1)
    >>> [cache.get(key, len) for key in (b"ab", b"c", b"ab")], len(cache)
    ([2, 1, 2], 1)
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._found: OrderedDict[bytes, T] = OrderedDict()
        self._lock = Lock()

    def get(self, pattern: bytes, make: Callable[[bytes], T]) -> T:
        """What ``make`` returns for the pattern; made again only if it was dropped meanwhile."""
        with self._lock:
            if pattern in self._found:
                self._found.move_to_end(pattern)
                return self._found[pattern]
        made = make(pattern)
        with self._lock:
            self._found[pattern] = made
            if len(self._found) > self._largest:
                self._found.popitem(last=False)
        return made

    def __len__(self) -> int:
        return len(self._found)

    def __reduce__(self) -> tuple[type[PatternCache[T]], tuple[int]]:
        return type(self), (self._largest,)
