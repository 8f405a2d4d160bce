"""Contribution tables for many rows at once: what `model.tables` says, by compiled loops over blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.booster_json import FLOAT32_MAX
from model.tables import Rows, TreeTables
from scoring.compiled.kernel import kernel
from scoring.compiled.source import CompiledSource

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_BLOCK = 128  # rows at a time: their columns and sums stay in a near cache, and the loops over them become vectors
_LARGEST = float(FLOAT32_MAX)


@dataclass(frozen=True, eq=False)
class CompiledTables(CompiledSource[TreeTables]):
    """The tables of ``plain``, and the same integers for every row. Safe under threads.

    >>> halves = TreeTables(  # x0 < 0.5 ? -1 : 3, where the base is 1
    ...     n_features=1, grid=0, base=1, feature=np.zeros((1, 1), np.int32),
    ...     threshold=np.full((1, 1), 0.5, np.float32), default_left=np.zeros((1, 1), bool),
    ...     slot_feature=np.zeros((1, 1), np.int32), table=np.array([[[2], [-2]]], np.int32))
    >>> compiled = CompiledTables(halves)
    >>> compiled.contributions(np.array([[0.0], [1.0], [np.nan]])).tolist()
    [[-2, 1], [2, 1], [2, 1]]
    >>> compiled.estimate(np.array([[0.0], [1.0], [np.nan]])).tolist()
    [-1, 3, 3]
    """

    def estimate(self, rows: Rows) -> Integers:
        """What `TreeTables.estimate` gives: rows (n, p) -> (n,), in grid units.

        Raises:
            ValueError: rows of another width.
        """
        given, plan = self._checked(rows), self._plan
        found = np.full(len(rows), self.plain.base, np.int64)
        _add_estimates(given, plan.source, plan.threshold, plan.sums, found)
        return found

    def contributions(self, rows: Rows) -> Integers:
        """What `TreeTables.contributions` gives: rows (n, p) -> (n, p + 1), in grid units.

        Raises:
            ValueError: rows of another width.
        """
        given, plan = self._checked(rows), self._plan
        found = np.empty((len(rows), self.n_features + 1), np.int64)
        found[:, -1] = self.plain.base
        _put_contributions(given, plan.source, plan.threshold, plan.slot_feature, plan.entries, found)
        return found

    @cached_property
    def _plan(self) -> _Plan:
        return _Plan.of(self.plain)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The tables laid out for the kernels, always of the same types, so that each kernel is compiled once."""

    source: NDArray[np.int32]  # (G, D) row of a block that a condition reads
    threshold: NDArray[np.float32]  # (G, D)
    slot_feature: NDArray[np.int32]  # (G, D)
    entries: NDArray[np.int32]  # (G, D, 2**D): of each slot, by pattern
    sums: Integers  # (G, 2**D)

    @classmethod
    def of(cls, tables: TreeTables) -> _Plan:
        return cls(
            source=np.ascontiguousarray(tables.feature + tables.n_features * tables.default_left, np.int32),
            threshold=np.ascontiguousarray(tables.threshold, np.float32),
            slot_feature=np.ascontiguousarray(tables.slot_feature, np.int32),
            entries=np.ascontiguousarray(tables.table.transpose(0, 2, 1), np.int32),
            sums=np.ascontiguousarray(tables.row_sums, np.int64),
        )


@kernel
def _fill(rows: Floats, start: int, count: int, block: NDArray[np.float32]) -> None:
    """The columns of some rows, twice, as `model.tables` compares them: NaN is first +inf, then -inf."""
    p = rows.shape[1]
    for r in range(count):
        for j in range(p):
            value = rows[start + r, j]
            if np.isnan(value):
                block[j, r] = np.inf
                block[p + j, r] = -np.inf
            else:
                held = np.float32(min(max(value, -_LARGEST), _LARGEST))
                block[j, r] = held
                block[p + j, r] = held


@kernel
def _look_up(
    block: NDArray[np.float32],
    source: NDArray[np.int32],
    threshold: NDArray[np.float32],
    pattern: NDArray[np.uint32],
) -> None:
    """The pattern of one group's conditions (D,) in each row of a block."""
    pattern[:] = 0
    for i in range(len(source)):
        values = block[np.uint32(source[i])]
        limit, bit = threshold[i], np.uint32(1 << i)
        for r in range(_BLOCK):
            pattern[r] |= bit if values[r] < limit else np.uint32(0)


@kernel
def _add_estimates(
    rows: Floats,
    source: NDArray[np.int32],
    threshold: NDArray[np.float32],
    sums: Integers,
    out: Integers,
) -> None:
    n, p = rows.shape
    block = np.zeros((2 * p, _BLOCK), np.float32)
    pattern = np.zeros(_BLOCK, np.uint32)
    total = np.zeros(_BLOCK, np.int64)
    for start in range(0, n, _BLOCK):
        count = min(_BLOCK, n - start)
        _fill(rows, start, count, block)
        total[:] = 0
        for g in range(len(source)):
            _look_up(block, source[g], threshold[g], pattern)
            by_pattern = sums[g]
            for r in range(_BLOCK):
                total[r] += by_pattern[pattern[r]]
        for r in range(count):
            out[start + r] += total[r]


@kernel
def _put_contributions(
    rows: Floats,
    source: NDArray[np.int32],
    threshold: NDArray[np.float32],
    slot_feature: NDArray[np.int32],
    entries: NDArray[np.int32],
    out: Integers,
) -> None:
    n, p = rows.shape
    block = np.zeros((2 * p, _BLOCK), np.float32)
    pattern = np.zeros(_BLOCK, np.uint32)
    total = np.zeros((p, _BLOCK), np.int64)
    for start in range(0, n, _BLOCK):
        count = min(_BLOCK, n - start)
        _fill(rows, start, count, block)
        total[:, :] = 0
        for g in range(len(source)):
            _look_up(block, source[g], threshold[g], pattern)
            for i in range(source.shape[1]):
                if slot_feature[g, i] < 0:  # empty slots come last
                    break
                by_pattern, of_feature = entries[g, i], total[np.uint32(slot_feature[g, i])]
                for r in range(_BLOCK):
                    of_feature[r] += by_pattern[pattern[r]]
        for r in range(count):
            for j in range(p):
                out[start + r, j] = total[j, r]
