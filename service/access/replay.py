"""The memory of tokens that were used: each admits once, to one worker process.

N worker processes let a token through up to N times, and a restart forgets. What bounds the harm of a stolen token
is its short life; this narrows it.
"""

from __future__ import annotations

import hashlib
import math
from threading import Lock

MOST = 200_000  # tokens in memory, in about 20 MB; with lives of 5 minutes and leeway that is 470 a second
SECONDS_PER_SET = 60


class Full(Exception):
    """There is no room for another token."""


class Replays:
    """Remembers a token, by issuer and ``jti``, until it has expired.

    >>> replays = Replays()
    >>> replays.is_first("https://issuer", "a", until=100.0, now=0.0)
    True
    >>> replays.is_first("https://issuer", "a", until=100.0, now=99.0)
    False

    A clock that goes forward and back again lets nobody in twice: what is forgotten is refused for good.

    >>> replays.is_first("https://issuer", "b", until=900.0, now=800.0), len(replays)
    (True, 1)
    >>> replays.is_first("https://issuer", "a", until=100.0, now=20.0)
    False
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._sets: dict[int, set[bytes]] = {}  # those that expire in the same minute, forgotten together
        self._forgotten = -1  # the last minute of which nothing is remembered any more
        self._lock = Lock()

    def __len__(self) -> int:
        return sum(map(len, self._sets.values()))

    def is_first(self, issuer: str, jti: str, *, until: float, now: float) -> bool:
        """Whether the token was never seen; from now on it is.

        One that expires in a minute that was forgotten already counts as seen, whatever the clock says now.

        Raises:
            Full: as many are remembered as there is room for. None is forgotten early: it could be used again.
        """
        name = hashlib.sha256(f"{len(issuer)} {issuer} {jti}".encode("utf-8", "surrogatepass")).digest()[:16]
        with self._lock:
            for minute in [minute for minute in self._sets if (minute + 1) * SECONDS_PER_SET <= now]:
                del self._sets[minute]
                self._forgotten = max(self._forgotten, minute)
            expires = math.floor(until / SECONDS_PER_SET)
            if expires <= self._forgotten or any(name in used for used in self._sets.values()):
                return False
            if len(self) >= self._most:
                raise Full
            self._sets.setdefault(expires, set()).add(name)
        return True
