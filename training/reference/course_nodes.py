"""The course of disease up to enrolment: quadrature over all that could have led to the time and score measured.

The rate so far, the diagnostic delay and the lag to enrolment are drawn as normal scores. Known are: the sum of
delay and lag (once the fast were enrolled sooner, see `reference_people`), mostly the delay, and a noisy score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from training.reference.disease_course import FULL_SCORE
from training.reference.reference_constants import EARLIER_RATE, Constants
from training.reference.reference_people import DELAY, LAG
from training.reference.reference_visits import TOTAL

Floats = NDArray[np.float64]

_RATES, _FACTORS, _SHARES = 48, 12, 24  # nodes of Gauss and Legendre
_NOISE_SPAN = 6.5  # points about the score measured: six SD and the rounding
_LOWEST, _HIGHEST = -6.0, 6.0  # normal scores, and logits of the delay's share in the time since onset
_LONGEST = 4.0  # logarithm of how many times sooner the fastest were enrolled
_LEAST_LAG = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class CourseNodes:
    """Courses that may have been.

    Attributes:
        scores: of rate, delay and lag, shape (patients, nodes, shares, 3).
        log_weight: of the node, with the probability of the score measured, shape (patients, nodes, shares).
    """

    scores: Floats
    log_weight: Floats

    def mixture(self, mean: Floats, covariance: Floats) -> tuple[Floats, Floats, Floats]:
        """Weights, means and SDs of the score of the later rate, shape (patients, nodes).

        Args:
            mean, covariance: of the scores of the later rate, the rate so far, delay and lag, given all markers;
                shapes (patients, 4) and (patients, 4, 4).
        """
        inverse = np.linalg.inv(covariance[:, 1:, 1:])
        away = self.scores - mean[:, None, None, 1:]
        log_density = -0.5 * np.einsum("nksi,nij,nksj->nks", away, inverse, away, optimize=True)
        slopes = np.einsum("ni,nij->nj", covariance[:, 0, 1:], inverse)
        open_variance = covariance[:, 0, 0] - np.einsum("ni,ni->n", slopes, covariance[:, 0, 1:])
        log_weight = self.log_weight + log_density
        log_weight = log_weight - log_weight.max(axis=(1, 2), keepdims=True)
        weight = np.exp(log_weight)
        weight /= weight.sum(axis=(1, 2), keepdims=True)
        means = mean[:, :1, None] + np.einsum("nksi,ni->nks", away, slopes)
        return _merged(weight, means, open_variance)


def course_nodes(constants: Constants, months: Floats, rows: pd.DataFrame, earlier: Floats) -> CourseNodes:
    """The nodes of patients.

    Args:
        constants: of the cohort. months: from onset to enrolment, shape (patients,).
        rows: their visits of enrolment; the delay is known of all or of none.
        earlier: time and score of an earlier visit, NaN where there was none, shape (patients, 2).
    """
    total = rows[TOTAL].to_numpy(dtype=np.float64)
    rate_score, log_factor, weight = _rates(constants, months, total)
    logit, share_weight = _shares(months, rows[DELAY].to_numpy(dtype=np.float64))
    log_months = np.log(months)[:, None, None] + log_factor[:, :, None]
    scores = np.stack(
        np.broadcast_arrays(
            rate_score[:, :, None],
            _log_score(constants, DELAY, log_months + special.log_expit(logit)[:, None, :]),
            _log_score(constants, LAG, log_months + special.log_expit(-logit)[:, None, :]),
        ),
        axis=-1,
    )
    rate = constants.variables[EARLIER_RATE].marginals["any"].values_at(rate_score)
    seen = _score_probability(constants, rate, months, total)
    was_seen = np.isfinite(earlier).all(axis=1)
    before = _score_probability(constants, rate[was_seen], earlier[was_seen, 0], earlier[was_seen, 1])
    seen[was_seen] *= before
    with np.errstate(divide="ignore"):
        log_weight = np.log(weight * seen)[:, :, None] + np.log(share_weight)[None, None, :]
    return CourseNodes(scores, log_weight)


def _rates(constants: Constants, months: Floats, total: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores of the rate so far, logarithms of how many times sooner they enrolled, weights: (patients, nodes).

    Either a patient was enrolled in their time: the rate is any that can have led to the score and has not lost too
    many points. Or sooner, with just so many points lost: the rate is known, and any factor from 1 may have been.
    The second has its own density in time and delay: that of the first over the SD of the logarithm of the rate.
    """
    marginal = constants.variables[EARLIER_RATE].marginals["any"]
    largest = constants.course.largest_loss
    lost = np.minimum(FULL_SCORE - total, largest)
    least, most = lost - _NOISE_SPAN, np.minimum(lost + _NOISE_SPAN, largest)
    least = np.where(total <= 0, largest - 2 * _NOISE_SPAN, least)
    low = np.clip(marginal.scores_at(least / months), _LOWEST, _HIGHEST)
    high = np.clip(marginal.scores_at(most / months), _LOWEST, _HIGHEST)
    node, node_weight = np.polynomial.legendre.leggauss(_RATES)
    half = 0.5 * np.maximum(high - low, 0.0)[:, None]
    in_time = 0.5 * (high + low)[:, None] + half * node
    node_2, weight_2 = np.polynomial.legendre.leggauss(_FACTORS)
    factor = np.broadcast_to(0.5 * _LONGEST * (1.0 + node_2), (len(months), _FACTORS))
    sooner = np.broadcast_to(marginal.scores_at(largest / months)[:, None], factor.shape)
    weights = [half * node_weight, np.broadcast_to(0.5 * _LONGEST * weight_2 / marginal.log_sd, factor.shape)]
    return np.hstack([in_time, sooner]), np.hstack([np.zeros(in_time.shape), factor]), np.hstack(weights)


def _shares(months: Floats, delay: Floats) -> tuple[Floats, Floats]:
    """Logits of the delay's share in the time since onset (patients, shares), and their weights (shares,)."""
    if np.isfinite(delay).all():
        lag = np.clip(months - delay, _LEAST_LAG, months - _LEAST_LAG)
        return np.log((months - lag) / lag)[:, None], np.ones(1)
    node, weight = np.polynomial.legendre.leggauss(_SHARES)
    return np.broadcast_to(_HIGHEST * node, (len(months), _SHARES)), _HIGHEST * weight


def _log_score(constants: Constants, name: str, log_value: Floats) -> Floats:
    marginal = constants.variables[name].marginals["any"]
    return np.asarray((log_value - np.log(marginal.median)) / marginal.log_sd, dtype=np.float64)


def _score_probability(constants: Constants, rate: Floats, months: Floats, total: Floats) -> Floats:
    """Of the score measured, at rates (patients, nodes) and months since onset: that of the noise and rounding."""
    sd = np.sqrt(constants.course.score_noise_sd**2 - 1.0 / 12.0)
    true = np.clip(FULL_SCORE - rate * months[:, None], 0.0, FULL_SCORE)
    upper = np.where(total >= FULL_SCORE, np.inf, total + 0.5)[:, None]
    lower = np.where(total <= 0, -np.inf, total - 0.5)[:, None]
    start, end = (lower - true) / sd, (upper - true) / sd
    turned = start > 0.0
    return np.asarray(
        special.ndtr(np.where(turned, -start, end)) - special.ndtr(np.where(turned, -end, start)), dtype=np.float64
    )


def _merged(weight: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """One normal a node in place of one a share, with the same mean and variance: the shares differ little."""
    total = weight.sum(axis=2)
    safe = np.where(total > 0.0, total, 1.0)
    centre = (weight * mean).sum(axis=2) / safe
    between = (weight * (mean - centre[:, :, None]) ** 2).sum(axis=2) / safe
    return total, centre, np.sqrt(variance[:, None] + between)
