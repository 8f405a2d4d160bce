"""Boosted trees as contribution tables in fixed point: exact TreeSHAP by comparisons, look-ups and integer sums.

What a leaf's path gives to each feature depends only on which of the path's conditions hold: at most 2**D patterns
for D conditions. The tables hold these values as integers on one grid, and sums of integers have the same bits
whatever the batch, order, thread or implementation. See ``docs/decisions/0002-fixed-point-tables.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.booster_json import FLOAT32_MAX, Paths, read_paths
from model.shapley import group_values
from model.tables_check import checked_arrays

Rows = NDArray[np.float32] | NDArray[np.float64]
Integers = NDArray[np.int64]

_ENTRY_BITS = 29  # the largest entry is below 2**29: int32 with two bits to spare
_BASE_BITS = 44  # base and estimate, in 64ths (`model.fitted.WEIGHT_STEPS`) and with other parts, stay below 2**53
_CELLS = 1 << 18  # (group, condition, row) cells evaluated at a time: 1 MiB of int32


@dataclass(frozen=True, eq=False)
class TreeTables:
    """G groups of D conditions (``x[feature] < threshold``; NaN counts as true where ``default_left``).

    A group's pattern is ``sum(2**i for the conditions i that are true)``; the row ``table[g, pattern]`` is what the
    group adds to the contributions of the features ``slot_feature[g]`` (-1: empty slot). One unit is ``2**-grid``.

    >>> from model.booster_json import Paths
    >>> stump = Paths(  # x0 < 0.5 ? -1 : 3, three quarters of the training rows on the left
    ...     n_features=1, base=0.0, feature=np.zeros((1, 1), np.int32),
    ...     threshold=np.full((1, 1), 0.5, np.float32), default_left=np.zeros((1, 1), bool),
    ...     slot=np.zeros((1, 1), np.int32), slot_feature=np.zeros((1, 1), np.int32),
    ...     padded=np.zeros((1, 1), bool), leaf_group=np.zeros(2, np.int64), leaf_value=np.array([-1.0, 3.0]),
    ...     goes_left=np.array([[True], [False]]), share=np.array([[0.75], [0.25]]))
    >>> tables = TreeTables.from_paths(stump)
    >>> (tables.contributions(np.array([[0.0], [1.0], [np.nan]])) * tables.unit).tolist()
    [[-1.0, 0.0], [3.0, 0.0], [3.0, 0.0]]
    """

    kind: ClassVar[str] = "trees"  # what a pack calls it

    n_features: int
    grid: int
    base: int
    feature: NDArray[np.int32]  # (G, D)
    threshold: NDArray[np.float32]  # (G, D)
    default_left: NDArray[np.bool_]  # (G, D)
    slot_feature: NDArray[np.int32]  # (G, D)
    table: NDArray[np.int32]  # (G, 2**D, D)

    @classmethod
    def from_booster_json(cls, model: bytes | str | Mapping[str, Any]) -> TreeTables:
        """The tables of a booster as saved by ``booster.save_raw("json")``, or of that JSON already parsed.

        Raises:
            ValueError: for what tables cannot hold; see `model.booster_json.read_paths`.
        """
        return cls.from_paths(read_paths(model))

    @classmethod
    def from_paths(cls, paths: Paths) -> TreeTables:
        """The tables of a booster's paths, rounded to the finest grid that fits."""
        values, reached = group_values(paths)
        grid, base, table = _quantise(paths, values, reached)
        return cls(paths.n_features, grid, base, paths.feature, paths.threshold, paths.default_left,
                   paths.slot_feature, table)  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> TreeTables:
        """The inverse of `to_arrays`; trusts nothing.

        Raises:
            ValueError: naming the array and what is wrong with it: name, dtype, shape, or a value out of range.
        """
        checked = checked_arrays(arrays)
        n_features, grid, base = (int(checked.pop(name)) for name in ("n_features", "grid", "base"))
        return cls(n_features, grid, base, **checked)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All fields as arrays, the three numbers as int64 of shape (): what `numpy.savez` stores."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: np.asarray(v, np.int64) if isinstance(v, int) else v for name, v in values.items()}

    @property
    def unit(self) -> float:
        """The size of one grid unit, a power of two."""
        return 2.0**-self.grid

    @cached_property
    def row_sums(self) -> Integers:
        """(G, 2**D): what each group adds to the estimate."""
        sums: Integers = self.table.sum(axis=2, dtype=np.int64)
        return sums

    def contributions(self, rows: Rows) -> Integers:
        """Each feature's share of the estimate, in grid units; NaN means not measured.

        Args:
            rows: (n, n_features); compared as float32, as XGBoost does. Infinities count as the largest float32.

        Returns:
            (n, n_features + 1); the last column is the base. Row sums equal `estimate` exactly.
        """
        plan = self._plan
        out = np.zeros((len(rows), self.n_features + 1), np.int64)
        out[:, -1] = self.base
        for chunk, index in self._look_up(rows):
            entries = plan.table.take(index, axis=0).reshape(len(index), -1)
            by_feature = entries.take(plan.order, axis=1)
            out[chunk, plan.present] = np.add.reduceat(by_feature, plan.starts, axis=1, dtype=np.int64)
        return out

    def estimate(self, rows: Rows) -> Integers:
        """Base plus the leaves that each row reaches, in grid units: rows (n, n_features) -> (n,)."""
        sums = self.row_sums.ravel()
        out = np.full(len(rows), self.base, np.int64)
        for chunk, index in self._look_up(rows):
            out[chunk] += sums.take(index).sum(axis=1)
        return out

    def _look_up(self, rows: Rows) -> Iterator[tuple[slice, Integers]]:
        """Per chunk of rows, the (rows, G) numbers of the table rows, counted over groups and patterns."""
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(f"rows have shape {rows.shape}; expected (n, {self.n_features})")
        if not len(self.feature):
            return
        plan = self._plan
        step = max(1, _CELLS // self.feature.size)
        for start in range(0, len(rows), step):
            chunk = slice(start, start + step)
            doubled = _with_missing_both_ways(rows[chunk])
            pattern = np.zeros((len(self.feature), doubled.shape[1]), np.uint8)
            for i, (source, threshold) in enumerate(zip(plan.source, plan.threshold, strict=True)):
                pattern |= (doubled.take(source, axis=0) < threshold).view(np.uint8) << i
            yield chunk, (pattern + plan.first_row).T

    @cached_property
    def _plan(self) -> _Plan:
        return _Plan.of(self)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The tables laid out for evaluation."""

    source: NDArray[np.intp]  # (D, G): row of `_with_missing_both_ways` that a condition reads
    threshold: NDArray[np.float32]  # (D, G, 1)
    first_row: Integers  # (G, 1): where a group's patterns start in `table`
    table: NDArray[np.int32]  # (G * 2**D, D)
    order: NDArray[np.intp]  # slots that are in use, sorted by feature
    starts: NDArray[np.intp]  # where in `order` each feature present starts
    present: NDArray[np.int32]  # the features that have a slot

    @classmethod
    def of(cls, tables: TreeTables) -> _Plan:
        n_groups, n_patterns, depth = tables.table.shape
        slots = tables.slot_feature.ravel()
        order = np.argsort(slots, kind="stable")[int((slots < 0).sum()) :]
        present, starts = np.unique(slots[order], return_index=True)
        return cls(
            source=np.ascontiguousarray((tables.feature + tables.n_features * tables.default_left).T, np.intp),
            threshold=np.ascontiguousarray(tables.threshold.T)[:, :, None],
            first_row=np.arange(n_groups)[:, None] * n_patterns,
            table=tables.table.reshape(-1, depth),
            order=order,
            starts=starts,
            present=present,
        )


def as_float32(rows: Rows) -> NDArray[np.float32]:
    """What trees compare: float32, with what lies beyond its range (infinities too) as its largest number."""
    return np.clip(rows, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32, copy=False)


def _with_missing_both_ways(rows: Rows) -> NDArray[np.float32]:
    """(n, p) -> (2p, n) float32: NaN is above every threshold in the first p rows, below in the last p."""
    columns = as_float32(rows.T)
    doubled = np.concatenate([columns, columns])
    missing = np.isnan(columns)
    np.putmask(doubled[: len(columns)], missing, np.inf)
    np.putmask(doubled[len(columns) :], missing, -np.inf)
    return doubled


def _quantise(
    paths: Paths, values: NDArray[np.float64], reached: NDArray[np.bool_]
) -> tuple[int, int, NDArray[np.int32]]:
    """Grid, base and table, such that base + contributions = the sum of the reached leaves in whole units.

    Leaves and group bases (expected value of a group's leaves by cover) are rounded first. A table row must
    then sum to the reached leaf minus the group base; what rounding leaves over goes to its largest entry.
    """
    group_base = np.zeros(len(values))
    np.add.at(group_base, paths.leaf_group, paths.leaf_value * paths.share.prod(axis=1))
    largest = max(np.abs(values).max(initial=0.0), np.abs(paths.leaf_value).max(initial=0.0))
    base = math.fsum([paths.base, *group_base])
    grid = _finest_grid(float(largest), abs(base))
    scale = 2.0**grid
    leaf, offset = (np.rint(part * scale).astype(np.int64) for part in (paths.leaf_value, group_base))
    target = np.repeat(-offset[:, None], values.shape[1], axis=1)
    np.add.at(target, paths.leaf_group, leaf[:, None] * reached)
    table = np.rint(values * scale).astype(np.int64)
    table[np.broadcast_to(paths.slot_feature[:, None, :] < 0, table.shape)] = 0
    largest_slot = np.abs(table).argmax(axis=2)[:, :, None]
    left_over = (target - table.sum(axis=2))[:, :, None]
    np.put_along_axis(table, largest_slot, np.take_along_axis(table, largest_slot, 2) + left_over, 2)
    return grid, int(np.rint(paths.base * scale)) + int(offset.sum()), table.astype(np.int32)


def _finest_grid(largest: float, base: float) -> int:
    """The exponent e for which largest * 2**e <= 2**29 and base * 2**e <= 2**44."""
    limits = ((largest, _ENTRY_BITS), (base, _BASE_BITS))
    return min((bits - math.ceil(math.log2(size)) for size, bits in limits if size > 0), default=_ENTRY_BITS)
