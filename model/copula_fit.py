"""Learning a Gaussian copula from a table with gaps: marginals by ranks, covariance by EM. Only for training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from model.copula import OUTCOME_BITS, Copula
from model.normal_scores import NormalScores, OutcomeScores

Floats = NDArray[np.float64]
Knots = tuple[Floats, Floats]  # values and their scores, both increasing

FEWEST_ROWS = 40
ITERATIONS = 3  # from a start at the pairwise moments; more change nothing that cross-validation sees
LEAST_PRIOR = 1e-3  # share of the correlations that is always taken away: totals and their items
INPUT_KNOTS, OUTCOME_KNOTS = 65, 257
_FURTHEST = 3.5  # scores between which knots are spread evenly
_LEAST_EIGENVALUE = 0.05  # of the start
_CELLS = 1 << 19  # of the matrices of patterns in memory at a time


def fit_copula(
    X: Floats, y: Floats, weight: Floats, *, directions: Sequence[int], finest: int = 1000
) -> Copula | None:
    """The copula of a table with gaps; None where there are too few rows or nothing varies.

    What EM finds is shrunk once more, by the same share that each of its steps takes: what inputs have in common
    beyond the outcome, so that with few rows the regression comes near a naive Bayes rule.

    Args:
        X: (n, p), NaN where not measured; a column with fewer than two values is no input.
        y: (n,)
        weight: (n,), positive; 2 counts as the row twice.
        directions: (p,): 1 never falls with it, -1 never rises, 0 free.
        finest: the exponent of the finest grid of the answers.
    """
    positions = np.flatnonzero(_distinct(X) > 1)
    if len(y) < FEWEST_ROWS or len(positions) == 0 or np.ptp(y) == 0.0:
        return None
    inputs, outcome = X[:, positions], thinned(rank_scores(y, weight), OUTCOME_KNOTS)
    knots = [_column_knots(column, weight) for column in inputs.T]
    scores = NormalScores.of(knots).scores_of(inputs)
    scores[np.isnan(inputs)] = np.nan
    table = np.column_stack([scores, np.interp(y, *outcome)])
    prior = float(table.shape[1])
    joint = em(table, weight, prior=prior)
    covariance = towards_naive_bayes(joint.covariance, prior_share(weight, prior))
    spread = math.sqrt(covariance[-1, -1])
    return Copula(
        n_features=X.shape[1],
        grid=min(finest, OUTCOME_BITS - math.ceil(math.log2(np.abs(y).max()))),
        positions=positions,
        directions=np.asarray(directions, np.int64)[positions],
        inputs=NormalScores.of([(v, z - m) for (v, z), m in zip(knots, joint.mean, strict=False)]),
        outcome=OutcomeScores(outcome[0], (outcome[1] - joint.mean[-1]) / spread),
        covariance=covariance[:-1, :-1],
        with_outcome=covariance[:-1, -1] / spread,
    )


def prior_share(weight: Floats, prior: float) -> float:
    """What `prior` rows in which nothing correlates are of all rows."""
    return prior / (float(weight.sum()) + prior)


def towards_naive_bayes(covariance: Floats, share: float) -> Floats:
    """The covariance (d, d), the outcome last, without this share of what inputs covary beyond the outcome.

    With the share 1, inputs are independent given the outcome. Positive definite if it was.

    >>> joint = np.array([[1.0, 0.6, 0.5], [0.6, 1.0, 0.4], [0.5, 0.4, 1.0]])
    >>> towards_naive_bayes(joint, 1.0)[0].tolist()
    [1.0, 0.2, 0.5]
    """
    out = covariance.copy()
    with_outcome = covariance[:-1, -1]
    by_outcome = np.outer(with_outcome, with_outcome) / covariance[-1, -1]
    out[:-1, :-1] = shrunk(covariance[:-1, :-1] - by_outcome, share) + by_outcome
    return out


def rank_scores(values: Floats, weight: Floats) -> Knots:
    """The distinct values, increasing, and the normal quantiles of their mid-ranks, scaled to mean 0 and SD 1.

    >>> rank_scores(np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))[1].round(9).tolist()
    [-1.0, 1.0]
    """
    distinct, which = np.unique(values, return_inverse=True)
    share = np.bincount(which, weight) / weight.sum()
    scores = ndtri(np.cumsum(share) - 0.5 * share)
    scores = scores - float(share @ scores)
    return distinct, scores / math.sqrt(float(share @ scores**2))


def thinned(knots: Knots, most: int) -> Knots:
    """At most this many of the knots, spread evenly over the scores, both ends among them."""
    values, scores = knots
    if len(values) <= most:
        return knots
    wanted = np.linspace(max(scores[0], -_FURTHEST), min(scores[-1], _FURTHEST), most - 2)
    inner = np.minimum(np.searchsorted(scores, wanted), len(scores) - 1)
    kept = np.unique(np.concatenate([[0], inner, [len(scores) - 1]]))
    return values[kept], scores[kept]


@dataclass(frozen=True, eq=False)
class JointNormal:
    """Mean (d,) and covariance (d, d)."""

    mean: Floats
    covariance: Floats


def em(scores: Floats, weight: Floats, *, prior: float, iterations: int = ITERATIONS) -> JointNormal:
    """Mean and covariance of a joint normal distribution from rows (n, d) with NaN where not measured.

    Dempster, Laird and Rubin 1977. In each step the covariance is shrunk towards its diagonal by
    prior / (n + prior), as if so many rows had been seen in which nothing correlates.
    """
    there = ~np.isnan(scores)
    filled = np.where(there, scores, 0.0)
    gaps = list(_gaps(there, weight))
    joint = _start(filled, there, weight, prior)
    share = max(prior_share(weight, prior), LEAST_PRIOR) if prior > 0 else 0.0
    for _ in range(iterations):
        joint = _step(joint, filled, there, weight, gaps, share)
    return joint


@dataclass(frozen=True, eq=False)
class _Gaps:
    """Patterns with the same number k of missing columns, and the rows that have them."""

    missing: NDArray[np.intp]  # (m, k) columns, by pattern
    weight: Floats  # (m,) of all rows of a pattern
    rows: NDArray[np.intp]  # (r,)
    pattern: NDArray[np.intp]  # (r,) of each row, among the m


def _gaps(there: NDArray[np.bool_], weight: Floats) -> Iterator[_Gaps]:
    """All patterns in which something is missing, few enough at a time for their matrices to stay in memory."""
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    which = which.ravel()
    order = np.argsort(which, kind="stable")
    first = np.searchsorted(which[order], np.arange(len(patterns) + 1))
    weights: Floats = np.bincount(which, weight, len(patterns)).astype(np.float64)
    counts = (~patterns).sum(axis=1)
    for count in np.unique(counts[counts > 0]):
        alike = np.flatnonzero(counts == count)
        step = max(1, _CELLS // int(count) ** 2)
        for start in range(0, len(alike), step):
            chosen = alike[start : start + step]
            sizes = first[chosen + 1] - first[chosen]
            rows = np.concatenate([order[first[at] : first[at + 1]] for at in chosen])
            missing = np.nonzero(~patterns[chosen])[1].reshape(len(chosen), count)
            yield _Gaps(missing, weights[chosen], rows, np.repeat(np.arange(len(chosen)), sizes))


def _start(filled: Floats, there: NDArray[np.bool_], weight: Floats, prior: float) -> JointNormal:
    """Moments of the pairs that are there, shrunk by how few they are, made positive definite."""
    weighted = there * weight[:, None]
    pairs = weighted.T @ there
    means = (weight @ filled) / np.maximum(np.diag(pairs), 1e-300)
    centred = np.where(there, filled - means, 0.0)
    moments = centred.T @ (centred * weight[:, None]) / np.maximum(pairs + prior, 1e-300)
    np.fill_diagonal(moments, np.diag(moments) * (1.0 + prior / np.maximum(np.diag(pairs), 1e-300)))
    spread = np.sqrt(np.diag(moments))
    values, vectors = np.linalg.eigh(moments / np.outer(spread, spread))
    fixed = (vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T
    return JointNormal(means, fixed * np.outer(spread, spread))


def _step(
    joint: JointNormal,
    filled: Floats,
    there: NDArray[np.bool_],
    weight: Floats,
    gaps: Sequence[_Gaps],
    share: float,
) -> JointNormal:
    """One step of EM. With the precision matrix W, missing scores have covariance inv(W_mm) given the others.

    Their mean is -inv(W_mm) W_mo times what is there. Patterns are taken many at a time: it is the interpreter,
    which lets one thread run, that would else take the time.
    """
    precision = np.linalg.inv(joint.covariance)
    size = len(precision)
    spread = np.zeros(size * size)
    completed = np.where(there, filled - joint.mean, 0.0)
    pulled = completed @ precision
    for each in gaps:
        missing = each.missing
        conditional = np.linalg.inv(precision[missing[:, :, None], missing[:, None, :]])
        step = max(1, _CELLS // missing.shape[1] ** 2)
        for start in range(0, len(each.rows), step):
            pattern = each.pattern[start : start + step]
            cells = each.rows[start : start + step, None], missing[pattern]
            completed[cells] = -np.matmul(conditional[pattern], pulled[cells][:, :, None])[:, :, 0]
        places = missing[:, :, None] * size + missing[:, None, :]
        spread += np.bincount(places.ravel(), (each.weight[:, None, None] * conditional).ravel(), size * size)
    total = weight.sum()
    shift = weight @ completed / total
    completed -= shift
    covariance = (completed.T @ (completed * weight[:, None]) + spread.reshape(size, size)) / total
    return JointNormal(joint.mean + shift, shrunk(covariance, share))


def shrunk(covariance: Floats, share: float) -> Floats:
    """Covariance with this share of what is off the diagonal taken away, exactly symmetric."""
    out: Floats = (1.0 - share) * (covariance + covariance.T) / 2.0
    np.fill_diagonal(out, np.diag(covariance))
    return out


def _column_knots(column: Floats, weight: Floats) -> Knots:
    there = ~np.isnan(column)
    return thinned(rank_scores(column[there], weight[there]), INPUT_KNOTS)


def _distinct(X: Floats) -> NDArray[np.intp]:
    """How many different values each column has, (p,), NaN not counted."""
    return np.array([len(np.unique(column[~np.isnan(column)])) for column in X.T], np.intp)
