"""Which rows have the same inputs measured: so that what depends on that alone is computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.compiled.kernel import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Patterns:
    """The m patterns of q inputs that are found in n rows, in the order in which they are found.

    >>> rows = np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, np.nan]])
    >>> found = Patterns.of(rows, np.array([0, 1]))
    >>> found.number.tolist(), found.words.tolist()
    ([0, 1, 0], [[1], [0]])
    >>> [found.order[found.starts[i] : found.starts[i + 1]].tolist() for i in range(2)]
    [[0, 2], [1]]
    """

    number: Integers  # (n,) of each row's pattern
    words: Words  # (m, ceil(q / 64)): bit j % 64 of word j // 64 says whether input j is measured
    order: Integers  # (n,) rows, those of a pattern next to each other
    starts: Integers  # (m + 1,) where in `order` each pattern's rows begin

    @classmethod
    def of(cls, rows: Floats, positions: Integers) -> Patterns:
        """Of the inputs at these positions (q,) of rows (n, p), C-contiguous; NaN is not measured."""
        words = np.zeros((len(rows), (len(positions) + 63) // 64), np.uint64)
        _mark(rows, positions, words)
        number, firsts = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        count = _number(words, number, firsts)
        order, starts = np.empty(len(rows), np.int64), np.zeros(count + 1, np.int64)
        _sort(number, order, starts)
        return cls(number, words[firsts[:count]], order, starts)


def measured(words: Words, count: int) -> NDArray[np.bool_]:
    """Which of so many inputs a pattern (ceil(q / 64),) has, (q,).

    >>> measured(np.array([5], np.uint64), 4).tolist()
    [True, False, True, False]
    """
    j = np.arange(count)
    bits = words[j // 64] >> (j % 64).astype(np.uint64)
    return (bits & np.uint64(1)).astype(np.bool_)


@kernel
def _mark(rows: Floats, positions: Integers, words: Words) -> None:
    for r in range(len(rows)):
        for j in range(len(positions)):
            if not np.isnan(rows[r, positions[j]]):
                words[r, j >> 6] |= np.uint64(1) << np.uint64(j & 63)


@kernel
def _number(words: Words, number: Integers, firsts: Integers) -> int:
    """Numbers the different rows of words by a hash table of their own; returns how many there are."""
    n, width = words.shape
    size = 16
    while size < 2 * n:
        size *= 2
    slots = np.full(size, -1, np.int64)
    count = 0
    for r in range(n):
        mixed = np.uint64(0)
        for w in range(width):
            mixed = (mixed ^ words[r, w]) * np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth's hashing
            mixed ^= mixed >> np.uint64(32)
        at = np.int64(mixed & np.uint64(size - 1))
        while slots[at] >= 0 and not np.array_equal(words[firsts[slots[at]]], words[r]):
            at = (at + 1) & (size - 1)
        if slots[at] < 0:
            slots[at] = count
            firsts[count] = r
            count += 1
        number[r] = slots[at]
    return count


@kernel
def _sort(number: Integers, order: Integers, starts: Integers) -> None:
    for at in number:
        starts[at + 1] += 1
    for i in range(1, len(starts)):
        starts[i] += starts[i - 1]
    free = starts.copy()
    for r in range(len(number)):
        order[free[number[r]]] = r
        free[number[r]] += 1
