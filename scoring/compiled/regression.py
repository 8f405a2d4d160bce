"""`model.signed_regression` for many patterns of measured inputs, where its rounded answer is beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.copula import COEFFICIENT_UNIT, Copula
from model.signed_regression import TOLERANCE
from scoring.compiled.algebra import Pivoting, signed_regressions
from scoring.compiled.patterns import measured

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_ROUNDING = 2.0**-53
_FEW = 16  # added to q, for what is lost whatever the size


@dataclass(frozen=True, eq=False)
class CompiledRegression:
    """The regressions of a copula by pattern: the same numbers as `Copula.regression`, to the last bit.

    A copula rounds them to `COEFFICIENT_UNIT`. So any solver gives the same numbers, unless one of them lies as
    near to the middle between two units as solvers may differ, or a decision on the way (the sign of a coefficient
    or of a gradient) is as near to turning. Such patterns, one in a thousand, are left to the copula itself.

    How far solvers may differ: with a Cholesky or an LU factor of a positive definite C the solution b is wrong by
    some q u cond(C) |b| (Higham, Accuracy and Stability of Numerical Algorithms, 2002, theorems 9.4 and 10.4;
    u = 2**-53), and no pattern's block has a greater condition than the whole (Cauchy's interlacing). Twice that
    is taken, with q + 16; what was measured is a hundredth of it, and the tests hold it to a tenth.

    Which coefficients are 0 does not hang on where pivoting begins, as long as all others, and the gradients of
    the zeros, are clear. The copula ends at some b' whose gradients have the right sign but for t = `TOLERANCE`,
    the minimum is b*: as both are feasible, (b* - b')'C(b* - b') <= t |b* - b'|_1, hence |b* - b'| <= t sqrt(q) / l
    with the least eigenvalue l. Where no coefficient of b* is nearer to 0 than that and no gradient nearer than the
    largest eigenvalue times it, b' has the same zeros, and so is the same solution of the same equations.

    >>> from model.normal_scores import NormalScores, OutcomeScores
    >>> knots, two = (np.array([0.0, 1.0]), np.array([-1.0, 1.0])), np.arange(2)
    >>> copula = Copula(2, 30, two, np.ones(2, np.int64), NormalScores.of([knots, knots]), OutcomeScores(*knots),
    ...                 np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([0.6, 0.3]))
    >>> CompiledRegression(copula).of(np.array([[3], [0]], np.uint64)).round(6).tolist()
    [[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]]
    """

    copula: Copula

    def of(self, words: Words) -> Floats:
        """Coefficients and, last, the spread of patterns (m, ceil(q / 64)) of `Patterns.words`, (m, q + 1)."""
        found, sure = self.attempt(words)
        out: Floats = np.rint(found / COEFFICIENT_UNIT) * COEFFICIENT_UNIT
        for at in np.flatnonzero(~sure).tolist():
            out[at, :-1], out[at, -1] = self.copula.regression(measured(words[at], len(self.copula.positions)))
        return out

    def attempt(self, words: Words) -> tuple[Floats, NDArray[np.bool_]]:
        """The same, not rounded, by compiled arithmetic alone; and where it is beyond doubt, (m,)."""
        copula = self.copula
        return signed_regressions(copula.covariance, copula.with_outcome, copula.directions, words, self.rules)

    @cached_property
    def rules(self) -> Pivoting:
        """How to pivot, and how far another solver may be."""
        values = np.linalg.eigvalsh(self.copula.covariance)
        least, largest = float(values[0]), float(values[-1])
        condition = largest / least if least > 0.0 else np.inf
        q = len(self.copula.positions)
        relative = 2.0 * (q + _FEW) * _ROUNDING * condition
        margin = TOLERANCE * (1.0 + np.sqrt(q) / least) if least > 0.0 else np.inf
        return Pivoting(relative, margin, largest, COEFFICIENT_UNIT)
