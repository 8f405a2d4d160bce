"""Bytes as they come in, cut into lines, of which none takes more memory than it may."""

from __future__ import annotations

import codecs
from collections.abc import Iterator


class Lines:
    """The lines of a text that comes in pieces; blank ones are left out, and so is a byte order mark at its start.

    Of a line that is longer than ``longest`` bytes only the beginning is kept, a byte more than that, so that it is
    seen to be too long.

    >>> lines = Lines(longest=4)
    >>> list(lines.feed(b"ab\\r\\n\\ncdef")), list(lines.feed(b"ghi\\nk")), list(lines.end())
    ([b'ab'], [b'cdefg'], [b'k'])
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._first = True

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end in this piece."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._add(end)
            yield from self.end()
        self._add(rest)

    def end(self) -> Iterator[bytes]:
        """The line that has begun, as if it ended here."""
        line = bytes(self._rest).removesuffix(b"\r")
        self._rest.clear()
        if self._first:
            line, self._first = line.removeprefix(codecs.BOM_UTF8), False
        if line.strip():
            yield line[: self._longest + 1]

    def _add(self, part: bytes) -> None:
        most = self._longest + 1 + len(b"\r") + len(codecs.BOM_UTF8)
        self._rest += part[: most - len(self._rest)]
