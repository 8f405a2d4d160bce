"""Least squares from moments, each coefficient held to a sign: the regression that biology allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOLERANCE = 1e-10
PATIENCE = 3  # exchanges of whole blocks that may fail to improve before one variable at a time is exchanged


def signed_regression(covariance: Floats, with_outcome: Floats, directions: NDArray[np.int64]) -> Floats:
    """The b (q,) with the least b'Cb/2 - c'b where b_j >= 0 for direction 1, b_j <= 0 for -1, free for 0.

    Block principal pivoting (Portugal, Judice and Vicente 1994, 10.2307/2153286): coefficients of the wrong sign
    leave, those at 0 whose gradient has the right sign enter, until there are none. It ends for a positive definite
    matrix, because exchanges that do not improve fall back to one variable at a time (Murty's rule).

    Args:
        covariance: C (q, q), positive definite.
        with_outcome: c (q,).
        directions: (q,).

    >>> signed_regression(np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([0.5, 0.3]), np.array([1, 1])).tolist()
    [0.5, 0.0]
    """
    held = directions != 0
    sign = np.where(directions < 0, -1.0, 1.0)
    inside = np.ones(len(with_outcome), np.bool_)
    fewest, patience = len(inside) + 1, PATIENCE
    while True:
        found = np.zeros(len(inside))
        kept = np.flatnonzero(inside)
        found[kept] = np.linalg.solve(covariance[np.ix_(kept, kept)], with_outcome[kept])
        gradient = with_outcome - covariance @ found
        wrong = held & np.where(inside, sign * found < 0.0, sign * gradient > TOLERANCE)
        count = int(wrong.sum())
        if count == 0:
            return found
        if count < fewest:
            fewest, patience = count, PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            wrong[: np.flatnonzero(wrong)[-1]] = False
        inside ^= wrong
