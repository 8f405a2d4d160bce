"""The numbers of rows where many tasks read at once: the same as of one reader that goes from file to file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file that one task reads from its first row to its last."""

    path: str  # of the file, as Spark writes it
    start: int  # its first byte
    rows: int
    size: int = 0  # of the file, bytes
    modified: str = ""  # the file's time, UTC


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands: how many rows come before it, and whether the file's header is its first line."""

    before: int
    headed: bool


def places(blocks: Iterable[Block], *, headed: bool) -> Mapping[tuple[str, int], Place]:
    """The place of each block: files sorted by path, blocks by their first byte.

    Args:
        blocks: those with at least one row; of a file with headers, the header is counted as a row.
        headed: whether each file begins with a header.

    >>> found = places([Block("b.csv", 0, 3), Block("a.csv", 64, 5), Block("a.csv", 0, 5)], headed=True)
    >>> found["a.csv", 0], found["a.csv", 64], found["b.csv", 0]
    (Place(before=0, headed=True), Place(before=4, headed=False), Place(before=9, headed=True))
    """
    found: dict[tuple[str, int], Place] = {}
    before, path = 0, None
    for block in sorted(blocks, key=lambda block: (parts(block.path), block.start)):
        first = headed and block.path != path
        found[block.path, block.start] = Place(before, first)
        before += block.rows - first
        path = block.path
    return found


def parts(path: str) -> tuple[str, ...]:
    """The folders and the name in an address of Spark's, to sort files by.

    >>> parts("file:/data/site=a%20b/1.csv")
    ('file:', 'data', 'site=a b', '1.csv')
    """
    return PurePosixPath(unquote(path)).parts
