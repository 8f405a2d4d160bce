"""Patterns of what is measured: numbered in the order in which they come, kept within a bound."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scoring.compiled.known import KnownPatterns
from scoring.compiled.patterns import Patterns, measured


@pytest.mark.parametrize("q", [1, 5, 63, 64, 65, 130])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_patterns_are_those_of_the_rows(q: int, n: int) -> None:
    rng = np.random.default_rng(q)
    kinds = rng.random((20, q + 2)) < 0.5
    rows = np.where(kinds[rng.integers(0, 20, n)], 1.0, np.nan)
    positions = np.sort(rng.choice(q + 2, q, replace=False))
    found = Patterns.of(rows, positions)
    there = ~np.isnan(rows[:, positions])
    assert all(
        np.array_equal(measured(found.words[at], q), row) for at, row in zip(found.number, there, strict=True)
    )
    assert len(found.words) == len(np.unique(there, axis=0))
    first_seen = list(dict.fromkeys(found.number.tolist()))
    assert first_seen == list(range(len(found.words)))
    assert sorted(found.order.tolist()) == list(range(n))
    for at in range(len(found.words)):
        these = found.order[found.starts[at] : found.starts[at + 1]]
        assert these.tolist() == np.flatnonzero(found.number == at).tolist()


def test_many_patterns_with_the_same_hash_bits_are_told_apart() -> None:
    """All 65,536 patterns of 16 inputs, each twice."""
    bits = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    rows = np.where(np.concatenate([bits, bits[::-1]]) == 1, 0.5, np.nan)
    found = Patterns.of(rows, np.arange(16))
    assert found.words[:, 0].tolist() == list(range(2**16))
    assert np.array_equal(found.number, np.concatenate([np.arange(2**16), np.arange(2**16)[::-1]]))


def test_known_patterns_stay_within_their_bound() -> None:
    asked: list[int] = []

    def squares(words: np.ndarray) -> np.ndarray:
        asked.extend(words[:, 0].tolist())
        return words.astype(np.float64) ** 2

    known = KnownPatterns(squares, most=10)
    words = np.arange(8, dtype=np.uint64)[:, None]
    assert known.of(words).ravel().tolist() == [n**2 for n in range(8)]
    assert known.of(words).ravel().tolist() == [n**2 for n in range(8)]
    assert asked == list(range(8))
    more = np.arange(100, dtype=np.uint64)[:, None]
    assert known.of(more).ravel().tolist() == [n**2 for n in range(100)]
    assert len(known) <= 10
    assert known.of(words[:0]).size == 0


def test_known_patterns_under_threads() -> None:
    known = KnownPatterns(lambda words: words.astype(np.float64) * 3.0, most=50)
    draws = [np.random.default_rng(seed).permutation(40).astype(np.uint64)[:, None] for seed in range(200)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(known.of, draws))
    assert all(np.array_equal(row, draw * 3.0) for row, draw in zip(found, draws, strict=True))
    assert len(known) <= 50
