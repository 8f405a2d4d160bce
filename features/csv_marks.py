"""Quotation marks and line ends in the bytes of a CSV file: quick answers that need no reading of rows."""

from __future__ import annotations

import numpy as np

EVIDENCE = 3  # commas: assumption; fewer in the lines of a text are an accident

_MARK, _COMMA, _FEED, _RETURN = b'",\n\r'


def plainly_quoted(data: bytes, begins: int) -> int:
    """The byte after the last row, if every mark is where a writer of CSV puts it and no text has a line break.

    Returns:
        0 where that is not so: the rows must be looked at one by one.

    >>> plainly_quoted(b'1,"a"\\n2,"b', 0), plainly_quoted(b'1,5" step\\n', 0)
    (6, 0)
    """
    view = np.frombuffer(data, np.uint8, offset=begins)
    marks, feeds = np.flatnonzero(view == _MARK), np.flatnonzero(view == _FEED)
    quoted = np.searchsorted(marks, feeds) % 2 == 1
    if not len(feeds) or quoted.all():
        return 0
    last = len(quoted) - 1 - int(np.argmin(quoted[::-1]))
    if quoted[:last].any():
        return 0
    end = int(feeds[last]) + 1
    marks = marks[: np.searchsorted(marks, end)]
    opening, closing = marks[::2], marks[1::2]
    before = view[np.maximum(opening - 1, 0)]
    plain = (before == _COMMA) | (before == _FEED) | (before == _MARK) | (opening == 0)
    after = view[closing + 1]
    plain_after = (after == _COMMA) | (after == _FEED) | (after == _MARK) | (after == _RETURN)
    if not (plain.all() and plain_after.all()) or bare_returns(data, begins, begins + end):
        return 0
    return begins + end


def bare_returns(data: bytes, begins: int, end: int) -> bool:
    """Whether there is a carriage return that no line feed follows."""
    returns = data.count(b"\r", begins, end) if data.find(b"\r", begins, end) >= 0 else 0
    return returns != 0 and returns != data.count(b"\r\n", begins, end)


def are_rows(text: bytes, field: int, fields: int, headers: int) -> bool:
    """Whether the lines of a text are rows that a stray mark swallowed, by their commas.

    Args:
        text: from mark to mark.
        field: its place in the row, 0 for the first.
        fields: of the row.
        headers: of the file.

    >>> are_rows(b'"fell\\nb,11,40,ok\\nc,12,39,"', 3, 4, 4), are_rows(b'"fell\\ntwice, at home"', 3, 4, 4)
    (True, False)
    """
    if b"\n" not in text or headers < 2:
        return False
    first, *between, last = text.split(b"\n")
    counts = [line.count(b",") for line in (first, *(line for line in between if line.strip()), last)]
    wanted = headers - 1
    like = [count == wanted for count in counts]
    like[0] = field + counts[0] == wanted
    like[-1] = counts[-1] + fields - 1 - field == wanted
    commas = sum(count for count, same in zip(counts, like, strict=True) if same)
    return 2 * sum(like[1:]) >= len(like) - 1 and commas >= min(wanted, EVIDENCE)
