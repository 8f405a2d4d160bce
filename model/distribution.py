"""The predictive distribution: location + scale * (one of the out-of-fold normalised residuals).

Interval, quantiles and band probabilities are all read from the same residuals, so they always agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SLOW_BELOW, FAST_ABOVE = 0.5, 1.0  # points/month: slow < 0.5 <= intermediate <= 1.0 < fast
_FUZZ = 1e-9  # (m + 1) * q is a whole number if it is one but for rounding: 20 * (1 - 0.9) / 2


def band_of(rate: ArrayLike) -> NDArray[np.int64]:
    """The band of each rate in points/month: 0 slow (< 0.5), 1 intermediate (0.5 to 1.0), 2 fast (> 1.0).

    >>> band_of([0.49, 0.5, 1.0, 1.01]).tolist()
    [0, 1, 1, 2]
    """
    rates = np.asarray(rate, dtype=np.float64)
    return (rates >= SLOW_BELOW).astype(np.int64) + (rates > FAST_ABOVE)


@dataclass(frozen=True, eq=False)
class PredictiveDistribution:
    """The rate of n patients, in points/month; positive is faster decline.

    Quantiles are conformal: for a new, exchangeable patient the interval at coverage c holds the rate with
    probability at least c (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005), up to what
    out-of-fold residuals differ from those of the model refitted on all rows.

    >>> d = PredictiveDistribution(np.array([1.0]), np.array([2.0]), (np.linspace(-1, 1, 19),))
    >>> d.interval(0.9).round(3).tolist(), d.quantile(0.5).tolist()
    ([[-1.0, 3.0]], [1.0])
    >>> d.band_probabilities().round(3).tolist()
    [[0.375, 0.125, 0.5]]
    """

    location: Floats  # (n,)
    scale: Floats  # (n,), positive
    residuals: Sequence[Floats]  # of each situation (m,), ascending: (rate - location) / scale, out of fold
    situation: NDArray[np.int64] | None = None  # (n,), position among the residuals; None: the first for all
    lowest: Floats | float = -math.inf  # (n,), what the scale allows: nothing is beyond
    highest: Floats | float = math.inf  # (n,)

    def quantile(self, q: float) -> Floats:
        """The q-quantile of each rate, (n,).

        Below the median the floor((m + 1) q)-th smallest of the m residuals, above it the ceil((m + 1) q)-th, at
        0.5 their ordinary median.

        Raises:
            ValueError: if q is not between 0 and 1, or there are too few residuals for it.
        """
        if not 0 < q < 1:
            raise ValueError(f"quantile = {q} is not between 0 and 1")
        return self._within(self.location + self.scale * self._residual(q, f"quantile {q:g}"))

    def interval(self, coverage: float = 0.9) -> Floats:
        """Lower and upper end of the prediction interval, (n, 2): the quantiles (1 -+ coverage) / 2.

        Raises:
            ValueError: if coverage is not between 0 and 1, or there are too few residuals for it.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage = {coverage} is not between 0 and 1")
        levels = (1 - coverage) / 2, (1 + coverage) / 2
        residuals = [self._residual(q, f"coverage {coverage:g}") for q in levels]
        ends = [self._within(self.location + self.scale * residual) for residual in residuals]
        return np.stack(ends, axis=1)

    def cdf(self, y: ArrayLike) -> Floats:
        """P(rate <= y), (n,), for one y or one per patient; strictly between 0 and 1 where the scale allows y.

        By the mid-point convention: a residual equal to y's counts half, and so does the new patient's own among
        the m + 1: (residuals below + 0.5 * residuals equal + 0.5) / (m + 1).
        """
        given = np.broadcast_to(np.asarray(y, np.float64), self.location.shape)
        z = (given - self.location) / self.scale
        probability = np.empty(z.shape)
        for residuals, these in self._situations():
            below, up_to = (np.searchsorted(residuals, z[these], side) for side in ("left", "right"))
            probability[these] = (0.5 * (below + up_to) + 0.5) / (len(residuals) + 1)
        return np.where(given >= self.highest, 1.0, np.where(given < self.lowest, 0.0, probability))

    def band_probabilities(self, cuts: Sequence[float] = (SLOW_BELOW, FAST_ABOVE)) -> Floats:
        """P(slow), P(intermediate), P(fast), (n, 3), for two ascending cuts in points/month."""
        low, high = cuts
        if not low < high:
            raise ValueError(f"cuts {low:g}, {high:g} do not ascend")
        below_low, below_high = self.cdf(low), self.cdf(high)
        return np.stack([below_low, below_high - below_low, 1 - below_high], axis=1)

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Whether the location itself is a rate that the scale allows, (n,)."""
        return np.asarray((self.location >= self.lowest) & (self.location <= self.highest))

    def _within(self, rates: Floats) -> Floats:
        return np.clip(rates, self.lowest, self.highest)

    def _residual(self, q: float, asked: str) -> Floats:
        """The q-quantile of the residuals of each row's situation, (n,)."""
        found = np.empty(len(self.location))
        for residuals, these in self._situations():
            found[these] = _order_statistic(residuals, q, asked)
        return found

    def _situations(self) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
        """The residuals of each situation that a row is in, and which rows are."""
        which = np.zeros(len(self.location), np.int64) if self.situation is None else self.situation
        for number, residuals in enumerate(self.residuals):
            these = which == number
            if these.any():
                yield residuals, these


def _order_statistic(residuals: Floats, q: float, asked: str) -> float:
    count = len(residuals)
    if q == 0.5:
        return float(np.median(residuals))
    position = (count + 1) * q
    rank = math.floor(position + _FUZZ) if q < 0.5 else math.ceil(position - _FUZZ)
    if not 1 <= rank <= count:
        needed = math.ceil(1 / min(q, 1 - q) - _FUZZ) - 1
        raise ValueError(f"{asked} needs at least {needed} residuals; there are {count}")
    return float(residuals[rank - 1])
