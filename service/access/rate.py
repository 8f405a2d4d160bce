"""How often a key may be used: a token bucket for each, in the memory of one worker process.

N worker processes therefore let through up to N times the rate, and a restart fills every bucket.
"""

from __future__ import annotations

from threading import Lock

SECONDS_TO_FILL = 60.0  # an empty bucket, whatever its size: it holds what a minute allows


class Buckets:
    """A bucket for each key that was used within the last minute; one left alone for longer is full, so forgotten.

    >>> buckets = Buckets()
    >>> [buckets.take("0011aabb", 2, now) for now in (0.0, 0.0, 0.0, 30.0)]
    [0.0, 0.0, 30.0, 0.0]
    """

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}  # id: content, when; the longest untouched first
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key_id: str, per_minute: int, now: float) -> float:
        """Take one; 0, or else in how many seconds there is one to take.

        A whole bucket may be taken at once, so that a minute may see up to twice ``per_minute``.
        """
        with self._lock:
            self._forget(now)
            content, when = self._buckets.pop(key_id, (float(per_minute), now))
            passed = max(0.0, now - when)  # a clock that is set back gives nothing
            content = min(float(per_minute), content + passed * per_minute / SECONDS_TO_FILL)
            taken = content >= 1.0
            self._buckets[key_id] = (content - 1.0 if taken else content, now)
        return 0.0 if taken else (1.0 - content) * SECONDS_TO_FILL / per_minute

    def _forget(self, now: float) -> None:
        while self._buckets:
            oldest = next(iter(self._buckets))
            if now - self._buckets[oldest][1] < SECONDS_TO_FILL:
                return
            del self._buckets[oldest]
