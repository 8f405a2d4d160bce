"""Normal scores of which intervals are known: the normal observations that say the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

NARROW = 0.2  # an interval of a score up to this wide is a reading with the variance of a uniform
NOTHING = 1e10  # variance of a reading that says nothing
SWEEPS = 3  # a fourth moves no rate of 20,000 by more than 0.0002 points per month
_LEAST_WIDTH = 1e-4


def readings(covariance: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Values and variances of normal readings that stand for intervals, both of shape (patients, scores).

    A narrow interval becomes its middle with a twelfth of its squared width: exact to the second order. A wide one
    (a category, "<") becomes the normal reading after which the score has the mean and variance that it has within
    the interval, given all others: expectation propagation (Minka 2001, arXiv 1301.2294). For one such score the
    mean and variance of everything else are then exact, and for several as good as exact while they are weakly
    related.

    Args:
        covariance: of the scores, positive definite, shape (patients, scores, scores).
        low, high: bounds, infinite where there is none, shape (patients, scores).

    >>> value, variance = readings(np.ones((1, 1, 1)), np.array([[0.0]]), np.array([[np.inf]]))
    >>> round(float(value[0, 0] / (1.0 + variance[0, 0])), 6)  # the mean of a half normal, sqrt(2 / pi)
    0.797885
    """
    known, bounded = np.isfinite(low) | np.isfinite(high), np.isfinite(low) & np.isfinite(high)
    start, end = np.where(bounded, low, 0.0), np.where(bounded, high, np.inf)
    narrow = end - start <= NARROW
    value = np.where(narrow, 0.5 * (start + np.where(narrow, end, 0.0)), 0.0)
    variance = np.where(narrow, np.maximum(end - start, _LEAST_WIDTH) ** 2 / 12.0, NOTHING)
    wide = known & ~narrow
    for _ in range(SWEEPS if wide.any() else 0):
        mean, spread = _posterior(covariance, value, variance)
        precision = np.maximum(1.0 / spread[wide] - 1.0 / variance[wide], 1e-6)
        cavity = (mean[wide] / spread[wide] - value[wide] / variance[wide]) / precision
        inside, remaining = truncated_moments(cavity, 1.0 / precision, low[wide], high[wide])
        gained = np.maximum(1.0 / remaining - precision, 1.0 / NOTHING)
        variance[wide] = 1.0 / gained
        value[wide] = (inside / remaining - cavity * precision) / gained
    return value, variance


def _posterior(covariance: Floats, value: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each score, given the readings."""
    scores = covariance.shape[-1]
    total = covariance + variance[:, :, None] * np.eye(scores)
    gain = np.linalg.solve(total, covariance)
    mean = np.einsum("nij,ni->nj", gain, value)
    explained = np.einsum("nij,nij->nj", covariance, gain)
    return mean, np.diagonal(covariance, axis1=1, axis2=2) - explained


def truncated_moments(mean: Floats, variance: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of normal variables within bounds, any shape.

    >>> [round(float(x[0]), 6) for x in truncated_moments(np.zeros(1), np.ones(1), np.zeros(1), np.array([np.inf]))]
    [0.797885, 0.36338]
    """
    sd = np.sqrt(variance)
    start, end = (low - mean) / sd, (high - mean) / sd
    turned = start > 0.0  # in the lower tail differences keep their digits
    start, end = np.where(turned, -end, start), np.where(turned, -start, end)
    mass = np.maximum(special.ndtr(end) - special.ndtr(start), 1e-300)
    at_start, at_end = _density(start), _density(end)
    first = (at_start - at_end) / mass
    second = (_times(start, at_start) - _times(end, at_end)) / mass
    shifted = np.maximum(1.0 + second - first**2, 1e-9)
    return mean + sd * np.where(turned, -first, first), variance * shifted


def _density(score: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * score**2) / np.sqrt(2.0 * np.pi), dtype=np.float64)


def _times(score: Floats, density: Floats) -> Floats:
    return np.where(np.isfinite(score), score, 0.0) * density
