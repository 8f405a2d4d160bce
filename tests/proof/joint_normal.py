"""The copula regression by its definition (docs/decisions/0006): a part of the evaluator.

What is rounded is said there: coefficients and the conditional SD to 2**-24, the terms b_j z_j to 2**-40, the 41
terms of the mean to the grid of the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NODES = [(at - 20) / 4 for at in range(41)]  # from -5 to 5
DENSITY = np.exp([-0.5 * node * node for node in NODES])
NEAR_ZERO = 1e-3


class JointNormal:
    """The joint normal distribution of scores; ``arrays`` are those of one part in tables.npz."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.positions = arrays["positions"].tolist()
        self.directions = arrays["directions"]
        self.covariance, self.with_outcome = arrays["covariance"], arrays["with_outcome"]
        self.outcome = arrays["outcome_scores"], arrays["outcome_values"]
        self.unit = 2.0 ** -int(arrays["grid"])
        self.knots = []
        for values, scores in zip(arrays["input_values"], arrays["input_scores"], strict=True):
            real = np.isfinite(values)
            self.knots.append((values[real], scores[real]))

    def contributions(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Estimate (n,), shares (n, p) that are not rounded, and base (n,), in points/month."""
        x = rows[:, self.positions]
        measured = ~np.isnan(x)
        scores = np.stack([np.interp(x[:, at], *knots) for at, knots in enumerate(self.knots)], axis=1)
        scores[~measured] = 0.0
        found = [self._regression(row) for row in measured]
        b, spread = np.stack([each[0] for each in found]), np.array([each[1] for each in found])
        terms = np.rint(b * scores * 2.0**40) * 2.0**-40
        m = terms.sum(axis=1)  # multiples of 2**-40 below 2**13: exact
        base, estimate = self._mean(np.zeros_like(m), spread), self._mean(m, spread)
        around = self._mean(np.full_like(m, NEAR_ZERO), spread) - self._mean(np.full_like(m, -NEAR_ZERO), spread)
        flat = np.abs(m) < NEAR_ZERO
        slope = np.where(flat, around / (2 * NEAR_ZERO), (estimate - base) / np.where(flat, 1.0, m))
        own = terms * slope[:, None]
        # Around 0 the slope is that between two points near it; what it misses goes to the largest share.
        own[np.arange(len(own)), np.abs(own).argmax(axis=1)] += estimate - base - own.sum(axis=1)
        shares = np.zeros(rows.shape)
        shares[:, self.positions] = own
        return estimate, shares, base

    def _mean(self, score: Floats, spread: Floats) -> Floats:
        weights = DENSITY / DENSITY.sum()
        total = np.zeros(len(score))
        for node, weight in zip(NODES, weights, strict=True):
            total += np.rint(np.interp(score + spread * node, *self.outcome) * (weight / self.unit))
        return total * self.unit

    def _regression(self, measured: NDArray[np.bool_]) -> tuple[Floats, float]:
        """(q,) coefficients, 0 where not measured, and the SD of the outcome's score given those."""
        there = np.flatnonzero(measured)
        C, c = self.covariance[np.ix_(there, there)], self.with_outcome[there]
        b = least_squares_with_signs(C, c, self.directions[there])
        out = np.zeros(len(measured))
        out[there] = np.rint(b * 2.0**24) * 2.0**-24
        left = max(1.0 - float(c @ b), 0.0)
        return out, float(np.rint(np.sqrt(left) * 2.0**24) * 2.0**-24)


def least_squares_with_signs(C: Floats, c: Floats, signs: NDArray[np.int64]) -> Floats:
    """The one b that minimises b'Cb/2 - c'b with b_j of the sign asked.

    Coefficients of a wrong sign leave together, then what would gain most returns alone. The answer is checked by
    the conditions that only the minimum fulfils.
    """
    inside = set(range(len(c)))
    for _ in range(50 * len(c) + 50):
        b = np.zeros(len(c))
        kept = sorted(inside)
        b[kept] = np.linalg.solve(C[np.ix_(kept, kept)], c[kept])
        wrong = [j for j in kept if signs[j] * b[j] < 0]
        if wrong:
            # while many are wrong all of them leave; what left too early returns below
            inside -= set(wrong)
            continue
        pull = signs * (c - C @ b)
        waiting = [j for j in range(len(c)) if j not in inside and pull[j] > 1e-10]
        if not waiting:
            _require_minimum(C, c, signs, b)
            return b
        inside = _entered(C, c, signs, b, inside, max(waiting, key=lambda j: pull[j]))
    raise AssertionError("no minimum was found")


def _entered(C: Floats, c: Floats, signs: NDArray[np.int64], b: Floats, inside: set[int], enters: int) -> set[int]:
    """Who is inside once one more enters: Lawson and Hanson's walk, along which the loss falls, so it ends."""
    inside = {*inside, enters}
    while True:
        kept = sorted(inside)
        aim = np.zeros(len(c))
        aim[kept] = np.linalg.solve(C[np.ix_(kept, kept)], c[kept])
        against = [j for j in kept if signs[j] * aim[j] < 0]
        if not against:
            return inside
        far = min(b[j] / (b[j] - aim[j]) for j in against)
        b = b + far * (aim - b)
        inside -= {j for j in against if abs(b[j]) < 1e-15}


def _require_minimum(C: Floats, c: Floats, signs: NDArray[np.int64], b: Floats) -> None:
    gradient = c - C @ b
    assert np.all(signs * b >= 0)
    assert np.all(np.abs(gradient[b != 0]) < 1e-9)
    assert np.all(np.where(signs == 0, np.abs(gradient), signs * gradient)[b == 0] < 1e-9)
