"""A mapping that reads two things from one header: each by itself is right, and one of the two is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from features.table import COMPARATOR, DEATH, OTHER_COLUMNS
from features.vocabulary import vocabulary

if TYPE_CHECKING:
    from features.mapping import Source

REMEDY = "one header is one quantity: name the header of each, or leave one out"


def conflicts(sources: Mapping[str, Source]) -> Iterator[str]:
    """Each header that cannot be what the mapping makes of it.

    A header may be part of several sums (months since a baseline, of a visit and of a death), of a sum and a column
    of its own (an item of a score), hold codes of several categories, and qualify several quantities.

    >>> from features.mapping import Source
    >>> list(conflicts({"crp_mg_l": Source(("CRP",)), "nlr": Source(("CRP",))}))[0][:40]
    "header 'CRP' is given to crp_mg_l and nl"
    """
    for column, source in sources.items():
        yield from _within(column, source)
    for (column, one), (other, two) in combinations(sources.items(), 2):
        if _is_measured(column) and _is_measured(other):
            for header in _shared(one, two):
                yield f"header {header!r} is given to {column} and {other}; {REMEDY}"


def _within(column: str, source: Source) -> Iterator[str]:
    quantities = vocabulary().by_column
    for header in dict.fromkeys(source.headers):
        if not header.strip():
            yield f"column {column!r}: a header is empty; give the column of the file a name"
        elif source.headers.count(header) > 1:
            yield f"column {column!r}: header {header!r} stands there twice; name each header once"
        elif column in quantities and header in quantities and header != column and not source.is_sum:
            yield f"column {column!r}: header {header!r} is the column of another quantity; {REMEDY}"
    if source.is_sum and column not in quantities and column != DEATH:
        yield f"column {column!r}: sum is for numbers, and this is none; name one header"


def _is_measured(column: str) -> bool:
    """Whether a column says something of the patient by itself; a qualifier may be that of several."""
    words = vocabulary()
    known = (*words.by_column, *words.categories, *OTHER_COLUMNS)
    return column in known or column.removesuffix(COMPARATOR) in words.by_column


def _shared(one: Source, two: Source) -> list[str]:
    """Headers that two columns cannot both be read from."""
    both = [header for header in dict.fromkeys(one.headers) if header in two.headers]
    if one.flags or two.flags:
        return both
    if one.values and two.values:
        return []
    if len(set(one.headers)) == len(set(two.headers)) == len(both):  # the same header, or the same sum
        return both
    return []
