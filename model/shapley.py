"""Exact path-dependent Shapley values of every leaf, for every pattern of conditions that may hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.booster_json import Paths

_LEAVES_AT_ONCE = 1 << 19  # (leaf, pattern) pairs in memory at a time


def pattern_bits(depth: int) -> NDArray[np.bool_]:
    """Which conditions send the row left, for each pattern: (2**depth, depth); condition i is bit i.

    >>> pattern_bits(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    patterns = np.arange(2**depth)
    return ((patterns[:, None] >> np.arange(depth)) & 1).astype(np.bool_)


def group_values(paths: Paths) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Shapley values of each group's leaves for each pattern, and which leaf is reached.

    For a leaf of value l whose path tests the distinct features N, the game is the one of TreeSHAP (Lundberg
    et al. 2020, algorithm 2): v(S) = l * prod(h_j for j in S) * prod(w_j for j not in S), with h_j = 1 where all
    conditions on j hold, else 0, and w_j the product over j's nodes of child cover / parent cover. This game is
    multilinear, so the sum over all subsets equals Owen's integral (Multilinear extensions of games, 1972)

        phi_j = l * (h_j - w_j) * integral over t in [0, 1] of prod((1 - t) * w_i + t * h_i for i != j),

    of a polynomial of degree at most D - 1, which Gauss-Legendre quadrature with ceil(D / 2) nodes gives exactly.
    Empty slots are null players (w = h = 1) and change nothing.

    Returns:
        (G, 2**D, D) values by slot; (L, 2**D) whether the pattern reaches the leaf.
    """
    n_groups, depth = paths.feature.shape
    bits = pattern_bits(depth)
    values = np.zeros((n_groups, len(bits), depth))
    reached = np.zeros((len(paths.leaf_group), len(bits)), np.bool_)
    step = max(1, _LEAVES_AT_ONCE // len(bits))
    for start in range(0, len(reached), step):
        chunk = slice(start, start + step)
        group = paths.leaf_group[chunk]
        match = (bits == paths.goes_left[chunk, None, :]) | paths.padded[group, None, :]
        reached[chunk] = match.all(axis=2)
        hold, weight = _by_slot(match, paths.share[chunk], paths.slot[group])
        np.add.at(values, group, paths.leaf_value[chunk, None, None] * _unit_shapley(hold, weight))
    return values, reached


def _by_slot(
    match: NDArray[np.bool_], share: NDArray[np.float64], slot: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From conditions to distinct features: h (L, 2**D, D) and w (L, 1, D)."""
    hold, weight = np.ones(match.shape), np.ones((len(share), 1, share.shape[1]))
    for k in range(share.shape[1]):
        here = slot == k
        hold[:, :, k] = (match | ~here[:, None, :]).all(axis=2)
        weight[:, 0, k] = np.where(here, share, 1.0).prod(axis=1)
    return hold, weight


def _unit_shapley(hold: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values (L, 2**D, D) of leaves of value one."""
    depth = hold.shape[2]
    nodes, areas = np.polynomial.legendre.leggauss((depth + 1) // 2)
    total = np.zeros(hold.shape)
    for t, area in zip((nodes + 1) / 2, areas / 2, strict=True):
        factors = (1 - t) * weight + t * hold
        for j in range(depth):
            total[:, :, j] += area * np.delete(factors, j, axis=2).prod(axis=2)
    return total * (hold - weight)
