"""How unlike the training cohort patients are, for many rows: the decisions are those of `model.applicability`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.applicability import Applicability, KnotTable
from model.tables import Rows
from scoring.compiled.algebra import squared_distances
from scoring.compiled.patterns import Patterns
from scoring.compiled.scores import OpenScores

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROWS = 16384  # at a time: their scores take some megabytes
_MARGIN = 1e-6  # how near the limit, in parts of it, the plain arithmetic decides: far more than rounding
_ROUNDING = 1e-14  # lost in a distance, times q and the condition of the covariance: a hundred times the unit


@dataclass(frozen=True, eq=False)
class CompiledApplicability:
    """The same knots, covariance and limit as ``plain``. Safe under threads.

    >>> from model.applicability import Knots
    >>> knots = Knots(np.array([-1.0, 1.0]), np.array([-1.0, 1.0]), -1.0, 1.0)
    >>> many = CompiledApplicability(Applicability((1,), (knots,), np.eye(1), 2.5, (1.0, 1.0)))
    >>> rows = np.array([[0.0, 3.0], [0.0, 2.0], [0.0, np.nan]])
    >>> many.unlikeness(rows).round(2).tolist(), many.is_unlike(rows).tolist()
    ([2.76, 1.72, -inf], [True, False, False])
    """

    plain: Applicability

    def unlikeness(self, rows: Rows) -> Floats:
        """Standard normal scores (n,) of design rows (n, p), -inf where nothing is measured.

        They are those of `Applicability.unlikeness` up to rounding.
        """
        given = np.ascontiguousarray(rows, np.float64)
        out = np.empty(len(given))
        for start in range(0, len(given), _ROWS):
            out[start : start + _ROWS] = self._unlikeness(given[start : start + _ROWS])
        return out

    def is_unlike(self, rows: Rows) -> NDArray[np.bool_]:
        """What `Applicability.is_unlike` says of each design row, (n, p) -> (n,)."""
        found = self.unlikeness(rows)
        unlike = found > self.plain.limit
        for at in self._doubtful(found).tolist():
            unlike[at] = self.plain.is_unlike(np.asarray(rows[at], np.float64))
        return unlike

    def _unlikeness(self, rows: Floats) -> Floats:
        patterns = Patterns.of(rows, self._scores.positions)
        distances = squared_distances(
            self.plain.covariance, self._scores.scores(rows), patterns.words, patterns.order, patterns.starts
        )
        counts = np.bitwise_count(patterns.words).sum(axis=1, dtype=np.int64)[patterns.number]
        out = np.full(len(rows), -np.inf)
        some = counts > 0
        spread = 2.0 / (9.0 * counts[some])
        out[some] = (np.cbrt(distances[some] / counts[some]) - (1.0 - spread)) / np.sqrt(spread)
        return out

    def _doubtful(self, found: Floats) -> Integers:
        """Rows too near the limit to tell, or whose distance is no number."""
        with np.errstate(invalid="ignore"):  # inf - inf
            near = np.abs(found - self.plain.limit) <= self._margin
        return np.flatnonzero(near | np.isnan(found) | np.isposinf(found))

    @cached_property
    def _margin(self) -> float:
        lost = _ROUNDING * len(self.plain.positions) * float(np.linalg.cond(self.plain.covariance))
        return max(_MARGIN, lost) * max(1.0, abs(self.plain.limit))

    @cached_property
    def _scores(self) -> OpenScores:
        return OpenScores.of(KnotTable.of(self.plain.knots), np.array(self.plain.positions, np.int64))
