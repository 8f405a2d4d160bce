"""Reading XGBoost's own JSON: the paths from root to leaf that the contribution tables are made of.

Nothing here imports XGBoost. A *group* is an inner node with at least one leaf child; the conditions on the way
from the root to that node (itself included) are the group's conditions, and its leaves differ only in the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 8  # so that a pattern of conditions is one byte
FLOAT32_MAX = np.finfo(np.float32).max
_IDENTITY_OBJECTIVES = ("reg:squarederror", "reg:pseudohubererror", "reg:absoluteerror")

_Step = tuple[int, bool]  # a node, and whether the path leaves it to the left


@dataclass(frozen=True, eq=False)
class Paths:
    """All paths of a booster: G groups of D conditions, L leaves; shallow groups are padded at the end.

    A padded condition is false for every row (feature 0 below minus infinity). ``slot`` gives each condition the
    number of its feature among the distinct features of its group; padded conditions are in slot D - 1, which is
    then free. ``share`` is the cover of the node that the leaf's path goes to over the cover of the node it comes
    from, and 1 for padding.
    """

    n_features: int
    base: float  # base score and all trees that are a single leaf
    feature: NDArray[np.int32]  # (G, D)
    threshold: NDArray[np.float32]  # (G, D)
    default_left: NDArray[np.bool_]  # (G, D)
    slot: NDArray[np.int32]  # (G, D)
    slot_feature: NDArray[np.int32]  # (G, D), -1 where a slot is empty
    padded: NDArray[np.bool_]  # (G, D)
    leaf_group: NDArray[np.int64]  # (L,)
    leaf_value: NDArray[np.float64]  # (L,)
    goes_left: NDArray[np.bool_]  # (L, D)
    share: NDArray[np.float64]  # (L, D)


class _Tree:
    """One tree of the JSON, as arrays; refuses what the tables cannot hold."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        if any(tree["split_type"]):
            raise ValueError(f"tree {tree['id']} has categorical splits; encode categories as numbers")
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise ValueError(f"tree {tree['id']} has vector leaves; train one booster per output")
        self.left: list[int] = tree["left_children"]
        self.right: list[int] = tree["right_children"]
        self.feature: list[int] = tree["split_indices"]
        # A condition doubles as the leaf's value. Beyond float32 no finite row can tell it from the largest number.
        conditions = np.asarray(tree["split_conditions"], np.float64)
        self.condition = np.clip(conditions, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
        self.default_left: list[int] = tree["default_left"]
        self.cover: list[float] = tree["sum_hessian"]

    def groups(self, node: int = 0, above: tuple[_Step, ...] = ()) -> Iterator[tuple[_Step, ...]]:
        """The ways to all inner nodes that have a leaf child; the last step's direction says nothing."""
        if self.is_leaf(node):
            return
        if len(above) == MAX_DEPTH:
            raise ValueError(f"a tree is deeper than {MAX_DEPTH}; its tables would be too large")
        if self.is_leaf(self.left[node]) or self.is_leaf(self.right[node]):
            yield (*above, (node, True))
        yield from self.groups(self.left[node], (*above, (node, True)))
        yield from self.groups(self.right[node], (*above, (node, False)))

    def leaves(self, group: tuple[_Step, ...]) -> Iterator[tuple[float, tuple[_Step, ...]]]:
        """Value and path of each leaf child of the group's last node."""
        *above, (node, _) = group
        for child, goes_left in ((self.left[node], True), (self.right[node], False)):
            if self.is_leaf(child):
                yield float(self.condition[child]), (*above, (node, goes_left))

    def is_leaf(self, node: int) -> bool:
        return self.left[node] < 0

    def share(self, step: _Step) -> float:
        node, goes_left = step
        child = self.left[node] if goes_left else self.right[node]
        if not (self.cover[child] > 0 and self.cover[node] > 0):
            raise ValueError(f"node {child} has cover {self.cover[child]}; train with min_child_weight > 0")
        return self.cover[child] / self.cover[node]


def read_paths(model: bytes | str | Mapping[str, Any]) -> Paths:
    """The paths of a booster saved by ``booster.save_raw("json")``, or of that JSON already parsed.

    Raises:
        ValueError: for what the tables cannot hold: another booster than ``gbtree`` (dart, gblinear), several
            outputs, an objective whose output is not the plain sum of the leaves, categorical splits, nodes
            without cover, or a depth beyond 8.
    """
    learner = (json.loads(model) if isinstance(model, bytes | str) else model)["learner"]
    _check_learner(learner)
    n_features = int(learner["learner_model_param"]["num_feature"])
    trees = [_Tree(tree) for tree in learner["gradient_booster"]["model"]["trees"]]
    base = _base_score(learner["learner_model_param"]["base_score"])
    base += sum(float(tree.condition[0]) for tree in trees if tree.is_leaf(0))
    return _assemble(n_features, base, [(tree, group) for tree in trees for group in tree.groups()])


def _check_learner(learner: Mapping[str, Any]) -> None:
    booster = learner["gradient_booster"]["name"]
    if booster != "gbtree":
        raise ValueError(f"booster is {booster!r}; contribution tables hold 'gbtree' only")
    parameters = learner["learner_model_param"]
    if int(parameters.get("num_target", 1)) > 1 or int(parameters.get("num_class", 0)) > 1:
        raise ValueError("the booster has several outputs; train one booster per output")
    objective = learner["objective"]["name"]
    if objective not in _IDENTITY_OBJECTIVES:
        raise ValueError(f"objective is {objective!r}; expected one of {', '.join(_IDENTITY_OBJECTIVES)}")


def _base_score(written: object) -> float:
    """XGBoost 3 writes ``"[5E-1]"``, earlier versions ``"5E-1"``."""
    return float(np.float32(str(written).strip("[]")))


def _assemble(n_features: int, base: float, groups: list[tuple[_Tree, tuple[_Step, ...]]]) -> Paths:
    depth = max((len(group) for _, group in groups), default=1)
    shape = (len(groups), depth)
    feature, threshold = np.zeros(shape, np.int32), np.full(shape, -np.inf, np.float32)
    default_left, padded = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    slot, slot_feature = np.full(shape, depth - 1, np.int32), np.full(shape, -1, np.int32)
    leaves: list[tuple[int, float]] = []
    directions: list[list[bool]] = []
    shares: list[list[float]] = []
    for g, (tree, group) in enumerate(groups):
        nodes = [node for node, _ in group]
        names = [tree.feature[node] for node in nodes]
        distinct = list(dict.fromkeys(names))
        feature[g, : len(nodes)] = names
        threshold[g, : len(nodes)] = tree.condition[nodes]
        default_left[g, : len(nodes)] = [tree.default_left[node] for node in nodes]
        padded[g, : len(nodes)] = False
        slot[g, : len(nodes)] = [distinct.index(name) for name in names]
        slot_feature[g, : len(distinct)] = distinct
        padding = depth - len(nodes)
        for value, path in tree.leaves(group):
            leaves.append((g, value))
            directions.append([goes_left for _, goes_left in path] + [False] * padding)
            shares.append([tree.share(step) for step in path] + [1.0] * padding)
    return Paths(
        n_features, base, feature, threshold, default_left, slot, slot_feature, padded,
        leaf_group=np.array([g for g, _ in leaves], np.int64),
        leaf_value=np.array([value for _, value in leaves], np.float64),
        goes_left=np.array(directions, np.bool_).reshape(-1, depth),
        share=np.array(shares, np.float64).reshape(-1, depth),
    )  # fmt: skip
