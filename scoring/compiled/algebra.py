"""The linear algebra that a pattern of measured inputs asks of a joint normal distribution, for many patterns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.signed_regression import PATIENCE
from scoring.compiled.kernel import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Words = NDArray[np.uint64]

LEAST_VARIANCE = 1e-6  # of the outcome's score, below which its root is in doubt


def squared_distances(
    covariance: Floats, scores: Floats, words: Words, order: Integers, starts: Integers
) -> Floats:
    """Squared Mahalanobis distances (n,) of the scores (n, q) that were measured, under their covariance (q, q).

    Patterns are those of `scoring.compiled.patterns.Patterns`; each pattern's matrix is factored once.

    >>> pair = np.array([[1.0, 0.6], [0.6, 1.0]])
    >>> rows = np.array([[1.0, 1.0], [2.0, np.nan]])
    >>> both, first = np.array([[3]], np.uint64), np.array([[1]], np.uint64)
    >>> squared_distances(pair, rows, np.concatenate([both, first]), np.array([0, 1]), np.array([0, 1, 2])).tolist()
    [1.25, 4.0]
    """
    out = np.empty(len(scores))
    _squared_distances(np.ascontiguousarray(covariance), scores, words, order, starts, out)
    return out


class Pivoting(NamedTuple):
    """What block principal pivoting goes by, and how far its answer may be from another solver's."""

    relative: float  # how far, in parts of the solution's length
    margin: float  # and by how much more, where the other one takes a gradient within its tolerance for none
    largest: float  # eigenvalue of the covariance: how much of it comes into a gradient
    unit: float  # coefficients and spread are rounded to it
    patience: int = PATIENCE  # as an argument: compiled code would not see it change


def signed_regressions(
    covariance: Floats, with_outcome: Floats, directions: Integers, words: Words, rules: Pivoting
) -> tuple[Floats, NDArray[np.bool_]]:
    """`model.signed_regression` of each pattern (m,): coefficients and, last, the outcome's spread, (m, q + 1).

    They are not rounded. The second array (m,) says where they round to the same units whoever solves, and where
    no decision on the way was in doubt; elsewhere numbers mean nothing. Each pattern begins with what has a
    coefficient where everything is measured: most have the same, and wherever it begins the minimum is one.

    >>> pair, outcome, up = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([0.5, 0.3]), np.array([1, 1])
    >>> rules = Pivoting(relative=1e-14, margin=1e-8, largest=1.9, unit=2.0**-24)
    >>> found, sure = signed_regressions(pair, outcome, up, np.array([[3]], np.uint64), rules)
    >>> found.round(3).tolist(), sure.tolist()
    ([[0.5, 0.0, 0.866]], [True])
    """
    out, sure = np.zeros((len(words), len(with_outcome) + 1)), np.zeros(len(words), np.bool_)
    _signed_regressions(np.ascontiguousarray(covariance), with_outcome, directions, words, rules, out, sure)
    return out, sure


@kernel
def _members(words: Words, count: int, found: Integers) -> int:
    """Fills in the numbers of a pattern's inputs; returns how many there are."""
    size = 0
    for j in range(count):
        if (words[j >> 6] >> np.uint64(j & 63)) & np.uint64(1):
            found[size] = j
            size += 1
    return size


@kernel
def _factor(covariance: Floats, chosen: Integers, size: int, upper: Floats) -> bool:
    """The upper Cholesky factor of the chosen rows and columns, in the corner of ``upper``; False if there is none.

    Row by row, so that the inner loop runs along memory and becomes vectors.
    """
    for i in range(size):
        for j in range(i, size):
            upper[i, j] = covariance[chosen[i], chosen[j]]
    for i in range(size):
        if not upper[i, i] > 0.0:
            return False
        root = np.sqrt(upper[i, i])
        upper[i, i] = root
        for j in range(i + 1, size):
            upper[i, j] /= root
        for k in range(i + 1, size):
            share = upper[i, k]
            for j in range(k, size):
                upper[k, j] -= share * upper[i, j]
    return True


@kernel
def _forward(upper: Floats, size: int, x: Floats) -> None:
    """Solves U'y = x in place."""
    for i in range(size):
        x[i] /= upper[i, i]
        share = x[i]
        for j in range(i + 1, size):
            x[j] -= share * upper[i, j]


@kernel
def _squared_distances(
    covariance: Floats, scores: Floats, words: Words, order: Integers, starts: Integers, out: Floats
) -> None:
    q = len(covariance)
    upper, chosen, x = np.empty((q, q)), np.empty(q, np.int64), np.empty(q)
    for pattern in range(len(words)):
        size = _members(words[pattern], q, chosen)
        there = _factor(covariance, chosen, size, upper)
        for r in order[starts[pattern] : starts[pattern + 1]]:
            for i in range(size):
                x[i] = scores[r, chosen[i]]
            _forward(upper, size, x)
            total = 0.0
            for i in range(size):
                total += x[i] * x[i]
            out[r] = total if there else np.nan


@kernel
def _solve(covariance: Floats, chosen: Integers, size: int, upper: Floats, x: Floats) -> bool:
    """Solves the chosen rows and columns for x in place; False if they are not positive definite."""
    if not _factor(covariance, chosen, size, upper):
        return False
    _forward(upper, size, x)
    for i in range(size - 1, -1, -1):
        x[i] /= upper[i, i]
        share = x[i]
        for j in range(i):
            x[j] -= share * upper[j, i]
    return True


@kernel
def _length(x: Floats, size: int) -> float:
    total = 0.0
    for i in range(size):
        total += x[i] * x[i]
    return math.sqrt(total)


@kernel
def _mark_wrong(
    covariance: Floats,
    with_outcome: Floats,
    directions: Integers,
    chosen: Integers,
    inside: NDArray[np.bool_],
    found: Floats,
    error: float,
    rules: Pivoting,
    wrong: NDArray[np.bool_],
) -> int:
    """Marks what has to change sides; returns how many, -1 where that hangs on a solver's rounding or tolerance."""
    count, size = 0, len(chosen)
    for i in range(size):
        wrong[i] = False
        direction = directions[chosen[i]]
        if direction == 0:
            continue
        if inside[i]:
            excess, doubt = -direction * found[i], error + rules.margin
        else:
            gradient = with_outcome[chosen[i]]
            for j in range(size):
                gradient -= covariance[chosen[i], chosen[j]] * found[j]
            excess, doubt = direction * gradient, rules.largest * (error + rules.margin)
        if not abs(excess) > doubt:
            return -1
        wrong[i] = excess > 0.0
        count += wrong[i]
    return count


@kernel
def _pivot(
    covariance: Floats,
    with_outcome: Floats,
    directions: Integers,
    chosen: Integers,
    rules: Pivoting,
    inside: NDArray[np.bool_],
    upper: Floats,
    found: Floats,
) -> bool:
    """Block principal pivoting as `model.signed_regression`, from ``inside``; False where a step is in doubt."""
    size = len(chosen)
    wrong = np.zeros(size, np.bool_)
    kept, x = np.empty(size, np.int64), np.empty(size)
    fewest, patience = size + 1, rules.patience
    while True:
        places = np.flatnonzero(inside)
        for i in range(len(places)):
            kept[i], x[i] = chosen[places[i]], with_outcome[chosen[places[i]]]
        if not _solve(covariance, kept, len(places), upper, x):
            return False
        found[:size] = 0.0
        for i in range(len(places)):
            found[places[i]] = x[i]
        error = rules.relative * _length(x, len(places))
        count = _mark_wrong(covariance, with_outcome, directions, chosen, inside, found, error, rules, wrong)
        if count <= 0:
            return count == 0
        if count < fewest:
            fewest, patience = count, rules.patience
        elif patience > 0:
            patience -= 1
        else:
            wrong[: np.flatnonzero(wrong)[-1]] = False
        inside ^= wrong


@kernel
def _rounds_surely(value: float, error: float, unit: float) -> bool:
    """Whether the value is further than its error from the middle between two units."""
    place = value / unit
    return abs(place - math.floor(place) - 0.5) > error / unit


@kernel
def _signed_regressions(
    covariance: Floats,
    with_outcome: Floats,
    directions: Integers,
    words: Words,
    rules: Pivoting,
    out: Floats,
    sure: NDArray[np.bool_],
) -> None:
    q = len(with_outcome)
    upper, members, found = np.empty((q, q)), np.arange(q), np.empty(q)
    usual, inside = np.ones(q, np.bool_), np.ones(q, np.bool_)
    if _pivot(covariance, with_outcome, directions, members, rules, inside, upper, found):
        usual[:] = inside
    for pattern in range(len(words)):
        size = _members(words[pattern], q, members)
        chosen = members[:size]
        for i in range(size):
            inside[i] = usual[chosen[i]]
        if not _pivot(covariance, with_outcome, directions, chosen, rules, inside[:size], upper, found):
            continue
        error = rules.relative * _length(found, size)
        explained, weight, settled = 0.0, 0.0, True
        for i in range(size):
            out[pattern, chosen[i]] = found[i]
            explained += with_outcome[chosen[i]] * found[i]
            weight += with_outcome[chosen[i]] ** 2
            settled &= found[i] == 0.0 or _rounds_surely(found[i], error, rules.unit)
        variance = 1.0 - explained
        if settled and variance > LEAST_VARIANCE:
            out[pattern, q] = np.sqrt(variance)
            lost = (np.sqrt(weight) * error + rules.relative) / np.sqrt(variance)
            sure[pattern] = _rounds_surely(out[pattern, q], lost, rules.unit)
