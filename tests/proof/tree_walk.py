"""Boosted trees from XGBoost's own JSON, leaf by leaf, with Shapley values by their definition; a part of the
evaluator.

For each leaf the players are the features on its way; the value of a coalition is the leaf's value, times 1 or 0
for each player inside (the patient goes this way at all of its nodes, or not) and times the share of training rows
that went this way for each one outside: the path-dependent game of TreeSHAP (Lundberg et al. 2020). All coalitions
are summed, at most 2**3 for trees of depth 3.
"""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max)


class Trees:
    """A booster. ``grid``: leaves are rounded to whole units of 2**-grid (docs/decisions/0002)."""

    def __init__(self, booster: bytes, grid: int) -> None:
        learner = json.loads(booster)["learner"]
        start = float(np.float32(learner["learner_model_param"]["base_score"].strip("[]")))
        self.unit = 2.0**-grid
        self.trees = [_Tree(tree, grid) for tree in learner["gradient_booster"]["model"]["trees"]]
        alone = [tree.alone for tree in self.trees if tree.alone is not None]
        start = math.fsum([start, *alone])
        self.start = round(start * 2.0**grid)
        self.base = math.fsum([start, *(tree.expected for tree in self.trees)])

    def estimate(self, rows: Floats) -> Floats:
        """(n,) in points/month: the start and the leaf of each tree, each in whole units."""
        total = np.full(len(rows), self.start, np.int64)
        columns = _comparable(rows)
        for tree in self.trees:
            for leaf, ways in tree.ways(columns):
                total += np.where(np.logical_and.reduce(ways), leaf.units, 0)
        return total * self.unit

    def contributions(self, rows: Floats) -> tuple[Floats, Floats]:
        """Estimate (n,) as above, and shares (n, p) that are not rounded."""
        total = np.full(len(rows), self.start, np.int64)
        shares = np.zeros((rows.shape[1], len(rows)))
        columns = _comparable(rows)
        for tree in self.trees:
            for leaf, ways in tree.ways(columns):
                pattern = np.zeros(len(rows), np.int64)
                for bit, way in enumerate(ways):
                    pattern += way.astype(np.int64) << bit
                total += np.where(pattern == 2 ** len(ways) - 1, leaf.units, 0)
                for player, feature in enumerate(leaf.features):
                    shares[feature] += leaf.shapley[:, player][pattern]
        return total * self.unit, shares.T


class _Leaf:
    def __init__(self, value: float, steps: list[tuple[int, bool]], tree: dict[str, Any], grid: int) -> None:
        cover, children = tree["sum_hessian"], (tree["right_children"], tree["left_children"])
        self.value, self.units = value, round(value * 2.0**grid)
        self.features = sorted({tree["split_indices"][node] for node, _ in steps})
        self.nodes = [[(n, left) for n, left in steps if tree["split_indices"][n] == f] for f in self.features]
        went = [math.prod(cover[children[left][n]] / cover[n] for n, left in nodes) for nodes in self.nodes]
        self.expected = value * math.prod(went)
        patterns = range(2 ** len(went))
        self.shapley = np.array(
            [[_shapley(value, went, p, player) for player in range(len(went))] for p in patterns]
        )


def _shapley(value: float, went: list[float], pattern: int, player: int) -> float:
    count = len(went)
    others = [other for other in range(count) if other != player]

    def worth(inside: set[int]) -> float:
        return value * math.prod(float(pattern >> i & 1) if i in inside else went[i] for i in range(count))

    return math.fsum(
        math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
        * (worth({*some, player}) - worth(set(some)))
        for size in range(count)
        for some in combinations(others, size)
    )  # fmt: skip


class _Tree:
    def __init__(self, tree: dict[str, Any], grid: int) -> None:
        self.tree = tree
        self.condition = np.asarray(tree["split_conditions"], np.float64).astype(np.float32)
        self.alone = float(self.condition[0]) if tree["left_children"][0] < 0 else None
        self.leaves = [] if self.alone is not None else self._leaves(0, [], grid)
        self.expected = math.fsum(leaf.expected for leaf in self.leaves)

    def _leaves(self, node: int, above: list[tuple[int, bool]], grid: int) -> list[_Leaf]:
        if self.tree["left_children"][node] < 0:
            return [_Leaf(float(self.condition[node]), above, self.tree, grid)]
        left, right = (self.tree[side][node] for side in ("left_children", "right_children"))
        return [
            *self._leaves(left, [*above, (node, True)], grid),
            *self._leaves(right, [*above, (node, False)], grid),
        ]

    def ways(self, columns: NDArray[np.float32]) -> list[tuple[_Leaf, list[NDArray[np.bool_]]]]:
        """Each leaf, and for each feature on its way which rows go this way at all of the feature's nodes."""
        tree, left = self.tree, {}
        for node, child in enumerate(tree["left_children"]):
            if child >= 0:
                x = columns[tree["split_indices"][node]]
                below = x < self.condition[node]
                left[node] = np.where(np.isnan(x), bool(tree["default_left"][node]), below)
        return [
            (
                leaf,
                [np.logical_and.reduce([left[n] if way else ~left[n] for n, way in nodes]) for nodes in leaf.nodes],
            )
            for leaf in self.leaves
        ]


def _comparable(rows: Floats) -> NDArray[np.float32]:
    """(p, n) float32, as XGBoost compares."""
    return np.clip(rows.T, -LARGEST, LARGEST).astype(np.float32)
