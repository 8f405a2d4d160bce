"""A distribution of the rate: a mixture of normals of its normal score, one mixture a patient."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy import special

from training.reference.marginal import Marginal

Floats = NDArray[np.float64]

BANDS = (0.5, 1.0)  # slow below, fast above (Vacchiano 2021)
_HALVINGS = 45


@dataclass(frozen=True, slots=True, eq=False)
class RateMixture:
    """What is known of the rates of patients; every array has shape (patients, components).

    Attributes:
        weight: adds up to 1 in each row. mean, sd: of the normal score.
        marginal: lognormal that turns a score into points per month.
        limits: below and above which no rate lies; what would be beyond stands on them.

    >>> one = np.ones((1, 1))
    >>> marginal = Marginal("lognormal", {"median": 0.8, "log_sd": 0.5})
    >>> RateMixture(one, 0.0 * one, one, marginal, (0.0, np.inf)).quantile(0.5).round(6).tolist()
    [0.8]
    """

    weight: Floats
    mean: Floats
    sd: Floats
    marginal: Marginal
    limits: tuple[float, float]

    @property
    def rate(self) -> Floats:
        """Mean of the rate in points per month, shape (patients,): the prediction of least squared error."""
        return self._moment(1)

    @property
    def rate_sd(self) -> Floats:
        """SD of the rate, shape (patients,)."""
        return np.asarray(np.sqrt(np.maximum(self._moment(2) - self._moment(1) ** 2, 0.0)), dtype=np.float64)

    def below(self, rate: Floats | float) -> Floats:
        """Probability of a rate below this one (one for all, or one a patient), shape (patients,)."""
        given = np.broadcast_to(np.asarray(rate, dtype=np.float64), len(self.weight))
        found = self._score_below(self.marginal.scores_at(given))
        return np.where(given <= self.limits[0], 0.0, np.where(given > self.limits[1], 1.0, found))

    def quantile(self, level: float) -> Floats:
        """The rate below which a share ``level`` lies, shape (patients,), by bisection."""
        low = np.min(self.mean - 9.0 * self.sd, axis=1)
        high = np.max(self.mean + 9.0 * self.sd, axis=1)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            under = self._score_below(middle) < level
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return np.clip(self.marginal.values_at(0.5 * (low + high)), *self.limits)

    @property
    def bands(self) -> Floats:
        """Probabilities of a slow, an intermediate and a fast course, shape (patients, 3)."""
        slow, not_fast = (self.below(edge) for edge in BANDS)
        return np.column_stack([slow, not_fast - slow, 1.0 - not_fast])

    def _score_below(self, score: Floats) -> Floats:
        return np.asarray(
            (self.weight * special.ndtr((score[:, None] - self.mean) / self.sd)).sum(axis=1), dtype=np.float64
        )

    def _moment(self, power: int) -> Floats:
        """Mean of a power of the rate: of a lognormal in closed form, with what lies beyond a limit put on it."""
        centre = power * (log(self.marginal.median) + self.marginal.log_sd * self.mean)
        spread = power * self.marginal.log_sd * self.sd
        start, end = (power * log(limit) if limit > 0.0 else -np.inf for limit in self.limits)
        under, over = (start - centre) / spread, (end - centre) / spread
        inside = np.exp(centre + 0.5 * spread**2) * (special.ndtr(over - spread) - special.ndtr(under - spread))
        edges = self.limits[0] ** power * special.ndtr(under)
        if np.isfinite(self.limits[1]):
            edges = edges + self.limits[1] ** power * special.ndtr(-over)
        return np.asarray((self.weight * (inside + edges)).sum(axis=1), dtype=np.float64)
