"""A copula regression for many rows at once: what `model.copula` says, to the last bit, by compiled loops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.copula import FLAT, NODES, SCORE_UNIT, WEIGHTS, Copula
from model.tables import Rows
from scoring.compiled.kernel import kernel
from scoring.compiled.known import KnownPatterns
from scoring.compiled.patterns import Patterns, Words
from scoring.compiled.regression import CompiledRegression
from scoring.compiled.scores import HeldScores
from scoring.compiled.source import CompiledSource

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROWS = 16384  # at a time: their scores take some megabytes


class _Curve(NamedTuple):
    """What makes an estimate of a score; with constants of `model.copula`, which kernels get as arguments."""

    values: Floats  # (k,) of the outcome at its knots, points/month
    knots: Floats  # (k,) their scores
    slopes: Floats  # (k - 1,)
    nodes: Floats  # of the mean over the outcome's conditional distribution
    weights: Floats  # of the nodes, in grid units
    score_unit: float
    flat: float


@dataclass(frozen=True, eq=False)
class CompiledCopula(CompiledSource[Copula]):
    """The copula of ``plain``, and the same integers for every row. Safe under threads.

    Sums of floating-point numbers are in no place: scores, shares and means are rounded to whole units one by one,
    by the same operations in the same order as there, and only integers are added.

    >>> from model.normal_scores import NormalScores, OutcomeScores
    >>> knots, one = (np.array([0.0, 2.0]), np.array([-1.0, 1.0])), np.ones(1, np.int64)
    >>> plain = Copula(1, 10, one - 1, one, NormalScores.of([knots]), OutcomeScores(np.array([0.0, 4.0]), knots[1]),
    ...                np.eye(1), np.array([0.6]))
    >>> rows = np.array([[1.5], [np.nan]])
    >>> CompiledCopula(plain).contributions(rows).tolist() == plain.contributions(rows).tolist()
    True
    """

    def estimate(self, rows: Rows) -> Integers:
        """What `Copula.estimate` gives: rows (n, p) -> (n,), in grid units.

        Raises:
            ValueError: rows of another width.
        """
        given = self._checked(rows)
        out = np.empty(len(given), np.int64)
        for start in range(0, len(given), _ROWS):
            chunk = given[start : start + _ROWS]
            scores, patterns = self._scores.scores(chunk), Patterns.of(chunk, self.plain.positions)
            known = self._known.of(patterns.words)
            _put_estimates(scores, patterns.number, known, self._curve, out[start : start + _ROWS])
        return out

    def contributions(self, rows: Rows) -> Integers:
        """What `Copula.contributions` gives: rows (n, p) -> (n, p + 1), in grid units.

        Raises:
            ValueError: rows of another width.
        """
        given = self._checked(rows)
        out = np.zeros((len(given), self.n_features + 1), np.int64)
        for start in range(0, len(given), _ROWS):
            chunk = given[start : start + _ROWS]
            scores, patterns = self._scores.scores(chunk), Patterns.of(chunk, self.plain.positions)
            known, into = self._known.of(patterns.words), out[start : start + _ROWS]
            _put_contributions(scores, patterns.number, known, self._curve, self.plain.positions, into)
        return out

    def _regressions(self, words: Words) -> Floats:
        """(m, q + 2): coefficients, spread and h(0) of patterns, as `Copula` keeps them."""
        found = self._regression.of(words)
        spread = np.ascontiguousarray(found[:, -1])
        base = np.empty(len(words), np.int64)
        _put_means(np.zeros(len(words)), spread, self._curve, base)
        return np.column_stack([found, base.astype(np.float64)])

    @cached_property
    def _known(self) -> KnownPatterns:
        return KnownPatterns(self._regressions)

    @cached_property
    def _regression(self) -> CompiledRegression:
        return CompiledRegression(self.plain)

    @cached_property
    def _scores(self) -> HeldScores:
        return HeldScores.of(self.plain.inputs, self.plain.positions)

    @cached_property
    def _curve(self) -> _Curve:
        outcome = self.plain.outcome
        return _Curve(outcome.values, outcome.scores, outcome.slopes, NODES, WEIGHTS / self.unit, SCORE_UNIT, FLAT)


@kernel
def _mean(score: float, spread: float, curve: _Curve) -> int:
    """h, as `Copula` has it: the nodes ascend, so each finds its knot from the last one's on."""
    knots, last = curve.knots, len(curve.knots) - 2
    at, total = 0, 0
    for i in range(len(curve.nodes)):
        held = min(max(score + spread * curve.nodes[i], knots[0]), knots[-1])
        if i == 0:
            at = min(int(np.searchsorted(knots, held, side="right")) - 1, last)
        while at < last and knots[at + 1] <= held:
            at += 1
        rise = (held - knots[at]) * curve.slopes[at]
        total += int(np.rint(min(curve.values[at] + rise, curve.values[at + 1]) * curve.weights[i]))
    return total


@kernel
def _put_means(score: Floats, spread: Floats, curve: _Curve, out: Integers) -> None:
    for r in range(len(out)):
        out[r] = _mean(score[r], spread[r], curve)


@kernel
def _put_shares(scores: Floats, coefficients: Floats, unit: float, shares: Integers) -> int:
    """b_j z_j in units of the score; returns their sum."""
    total = 0
    for j in range(len(scores)):
        shares[j] = int(np.rint(coefficients[j] * scores[j] / unit))
        total += shares[j]
    return total


@kernel
def _put_estimates(scores: Floats, number: Integers, known: Floats, curve: _Curve, out: Integers) -> None:
    q = scores.shape[1]
    shares = np.empty(q, np.int64)
    for r in range(len(scores)):
        regression = known[number[r]]
        total = _put_shares(scores[r], regression[:q], curve.score_unit, shares)
        out[r] = _mean(total * curve.score_unit, regression[q], curve)


@kernel
def _put_contributions(
    scores: Floats,
    number: Integers,
    known: Floats,
    curve: _Curve,
    positions: Integers,
    out: Integers,
) -> None:
    """Aumann-Shapley values as `Copula` computes them; what rounding leaves over goes to the largest."""
    q = scores.shape[1]
    shares = np.empty(q, np.int64)
    for r in range(len(scores)):
        regression = known[number[r]]
        spread, base = regression[q], np.int64(regression[q + 1])
        score = _put_shares(scores[r], regression[:q], curve.score_unit, shares) * curve.score_unit
        rise = _mean(score, spread, curve) - base
        if abs(score) < curve.flat:
            slope = (_mean(curve.flat, spread, curve) - _mean(-curve.flat, spread, curve)) / (2.0 * curve.flat)
        else:
            slope = rise / score
        largest, total = 0, 0
        for j in range(q):
            shares[j] = int(np.rint(shares[j] * curve.score_unit * slope))
            total += shares[j]
            if abs(shares[j]) > abs(shares[largest]):
                largest = j
        shares[largest] += rise - total
        for j in range(q):
            out[r, positions[j]] = shares[j]
        out[r, -1] = base
