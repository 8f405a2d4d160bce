"""A Gaussian-copula regression that answers: what the measured markers say of the rate, and each marker's share.

As normal scores, inputs and outcome are jointly normal. Given the inputs that were measured, the outcome's score is
normal with mean m = b.z, where b depends only on which they are, and the estimate is h(m): the mean of the outcome
over that normal distribution. See ``docs/decisions/0006-the-learner.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.copula_check import checked_arrays
from model.normal_scores import NormalScores, OutcomeScores
from model.pattern_cache import PatternCache
from model.signed_regression import signed_regression
from model.tables import Rows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SCORE_UNIT = 2.0**-40  # shares of a score are whole numbers of it: their sum is exact in any order
COEFFICIENT_UNIT = 2.0**-24  # coefficients are rounded to it, so that no linear algebra library shows in an answer
OUTCOME_BITS = 44  # outcomes stay below 2**44 units
FLAT = 1e-3  # scores nearer to 0 take the slope of h around 0
NODES = np.linspace(-5.0, 5.0, 41)  # trapezoid rule over a normal density: kinks of the marginal hurt it less
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()  # than they hurt Gauss-Hermite of any order
_STEP = 4096  # rows at a time


@dataclass(frozen=True, eq=False)
class Copula:
    """The joint normal distribution of the scores of q inputs and of the outcome (variance 1), and the marginals.

    Every sum is a sum of integers: an answer has the same bits whatever the batch. Along any one input the estimate
    never goes against its direction, not by a bit: scores, products, sums and the mean each keep the order.
    """

    kind: ClassVar[str] = "copula"  # what a pack calls it

    n_features: int  # p, the width of a row
    grid: int  # one unit of an estimate is 2**-grid points/month
    positions: Integers  # (q,), increasing: the inputs among the columns of a row
    directions: Integers  # (q,): 1 never falls with it, -1 never rises, 0 free
    inputs: NormalScores  # of the q inputs, with mean 0
    outcome: OutcomeScores
    covariance: Floats  # (q, q) of the inputs' scores, positive definite
    with_outcome: Floats  # (q,) covariances with the outcome's score

    @property
    def unit(self) -> float:
        """The size of one grid unit, a power of two."""
        return 2.0**-self.grid

    def estimate(self, rows: Rows) -> Integers:
        """The mean rate given what was measured, in grid units: rows (n, p) -> (n,). NaN is not measured."""
        out = np.empty(len(rows), np.int64)
        for start in range(0, len(rows), _STEP):
            shares, spread, _ = self._shares(rows[start : start + _STEP])
            out[start : start + _STEP] = self._mean(shares.sum(axis=1) * SCORE_UNIT, spread)
        return out

    def contributions(self, rows: Rows) -> Integers:
        """Aumann-Shapley values in grid units, (n, p + 1); the last column is h(0). Rows sum to `estimate` exactly.

        Along the straight path from 0 to z the estimate rises by b_j z_j (h(m) - h(0)) / m through input j. So a
        marker that was not measured has 0, and h(0) is the mean for markers at their average, given which they are.
        """
        out = np.zeros((len(rows), self.n_features + 1), np.int64)
        for start in range(0, len(rows), _STEP):
            shares, spread, base = self._shares(rows[start : start + _STEP])
            values = self._aumann_shapley(shares, spread, base)
            out[start : start + _STEP, self.positions] = values
            out[start : start + _STEP, -1] = base
        return out

    def regression(self, measured: NDArray[np.bool_]) -> tuple[Floats, float]:
        """Coefficients (q,), 0 for inputs not measured, and the SD of the outcome's score given the others."""
        found = self._cache.get(np.packbits(measured).tobytes(), self._regression)
        return found[:-2], float(found[-2])

    def _aumann_shapley(self, shares: Integers, spread: Floats, base: Integers) -> Integers:
        score = shares.sum(axis=1) * SCORE_UNIT
        rise = self._mean(score, spread) - base
        flat = np.abs(score) < FLAT
        slope = rise / np.where(flat, FLAT, score)
        if flat.any():
            around = [self._mean(np.full(int(flat.sum()), end), spread[flat]) for end in (-FLAT, FLAT)]
            slope[flat] = (around[1] - around[0]) / (2.0 * FLAT)
        values = np.rint(shares * SCORE_UNIT * slope[:, None]).astype(np.int64)
        largest = np.abs(values).argmax(axis=1)
        values[np.arange(len(values)), largest] += rise - values.sum(axis=1)
        return values

    def _shares(self, rows: Rows) -> tuple[Integers, Floats, Integers]:
        """b_j z_j in units of the score (n, q); the outcome's conditional SD (n,); h(0) in grid units (n,)."""
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(f"rows have shape {rows.shape}; expected (n, {self.n_features})")
        values = np.asarray(rows[:, self.positions], np.float64)
        patterns = [pattern.tobytes() for pattern in np.packbits(~np.isnan(values), axis=1)]
        found = {pattern: self._cache.get(pattern, self._regression) for pattern in dict.fromkeys(patterns)}
        chosen = np.array([found[pattern] for pattern in patterns])
        shares = np.rint(chosen[:, :-2] * self.inputs.scores_of(values) / SCORE_UNIT).astype(np.int64)
        return shares, chosen[:, -2], chosen[:, -1].astype(np.int64)

    def _regression(self, pattern: bytes) -> Floats:
        """(q + 2,): coefficients, the conditional SD, and h(0), which depends on that alone."""
        count = len(self.positions)
        measured = np.flatnonzero(np.unpackbits(np.frombuffer(pattern, np.uint8), count=count))
        within = self.with_outcome[measured]
        found = signed_regression(self.covariance[np.ix_(measured, measured)], within, self.directions[measured])
        out = np.zeros(count + 2)
        out[measured] = found
        out[-2] = np.sqrt(max(1.0 - float(within @ found), 0.0))
        out = np.rint(out / COEFFICIENT_UNIT) * COEFFICIENT_UNIT
        out[-1] = self._mean(np.zeros(1), out[-2:-1])[0]
        return out

    def _mean(self, score: Floats, spread: Floats) -> Integers:
        """h: the outcome's mean in grid units where its score has this mean and SD, (n,) each."""
        values = self.outcome.values_at(score[:, None] + spread[:, None] * NODES)
        mean: Integers = np.rint(values * (WEIGHTS / self.unit)).astype(np.int64).sum(axis=1)
        return mean

    @cached_property
    def _cache(self) -> PatternCache[Floats]:
        return PatternCache()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Copula:
        """The inverse of `to_arrays`; trusts nothing.

        Raises:
            ValueError: naming the array and what is wrong with it.
        """
        a = checked_arrays(arrays)
        return cls(
            n_features=int(a["n_features"]),
            grid=int(a["grid"]),
            positions=a["positions"],
            directions=a["directions"],
            inputs=NormalScores(a["input_values"], a["input_scores"]),
            outcome=OutcomeScores(a["outcome_values"], a["outcome_scores"]),
            covariance=a["covariance"],
            with_outcome=a["with_outcome"],
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All numbers as arrays of int64 and float64: what `numpy.savez` stores."""
        return {
            "n_features": np.asarray(self.n_features, np.int64),
            "grid": np.asarray(self.grid, np.int64),
            "positions": self.positions,
            "directions": self.directions,
            "input_values": self.inputs.values,
            "input_scores": self.inputs.scores,
            "outcome_values": self.outcome.values,
            "outcome_scores": self.outcome.scores,
            "covariance": self.covariance,
            "with_outcome": self.with_outcome,
        }
