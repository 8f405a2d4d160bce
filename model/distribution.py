"""The predictive distribution: location + scale * (one of the out-of-fold normalised residuals).

Interval, quantiles and band probabilities are all read from the same residuals, so they always agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

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
        return self.quantiles((q,))[:, 0]

    def quantiles(self, levels: Sequence[float]) -> Floats:
        """The quantiles of each rate at k levels, (n, k); see `quantile`.

        Raises:
            ValueError: if a level is not between 0 and 1, or there are too few residuals for it.
        """
        for q in levels:
            if not 0 < q < 1:
                raise ValueError(f"quantile = {q} is not between 0 and 1")
        return self._at([(q, f"quantile {q:g}") for q in levels])

    def interval(self, coverage: float = 0.9) -> Floats:
        """Lower and upper end of the prediction interval, (n, 2): the quantiles (1 -+ coverage) / 2.

        Raises:
            ValueError: if coverage is not between 0 and 1, or there are too few residuals for it.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage = {coverage} is not between 0 and 1")
        asked = f"coverage {coverage:g}"
        return self._at([((1 - coverage) / 2, asked), ((1 + coverage) / 2, asked)])

    def cdf(self, y: ArrayLike) -> Floats:
        """P(rate <= y), (n,), for one y or one per patient; strictly between 0 and 1 where the scale allows y.

        By the mid-point convention: a residual equal to y's counts half, and so does the new patient's own among
        the m + 1: (residuals below + 0.5 * residuals equal + 0.5) / (m + 1).
        """
        given = np.broadcast_to(np.asarray(y, np.float64), self.location.shape)
        return self._cdf(given[:, None])[:, 0]

    def band_probabilities(self, cuts: Sequence[float] = (SLOW_BELOW, FAST_ABOVE)) -> Floats:
        """P(slow), P(intermediate), P(fast), (n, 3), for two ascending cuts in points/month."""
        low, high = cuts
        if not low < high:
            raise ValueError(f"cuts {low:g}, {high:g} do not ascend")
        below = self._cdf(np.array([[low, high]]))
        return np.stack([below[:, 0], below[:, 1] - below[:, 0], 1 - below[:, 1]], axis=1)

    @cached_property
    def which(self) -> NDArray[np.int64]:
        """The situation of each rate, (n,)."""
        return np.zeros(len(self.location), np.int64) if self.situation is None else self.situation

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Whether the location itself is a rate that the scale allows, (n,)."""
        return np.asarray((self.location >= self.lowest) & (self.location <= self.highest))

    def _cdf(self, given: Floats) -> Floats:
        """P(rate <= given), (n, k), for k rates of each patient, (n, k) or (1, k) for the same of all."""
        z = (given - self.location[:, None]) / self.scale[:, None]
        probability = np.empty(z.shape)
        for residuals, these in self._situations():
            below, up_to = (np.searchsorted(residuals, z[these], side) for side in ("left", "right"))
            probability[these] = (0.5 * (below + up_to) + 0.5) / (len(residuals) + 1)
        lowest, highest = self._limits
        return np.where(given >= highest, 1.0, np.where(given < lowest, 0.0, probability))

    @property
    def _limits(self) -> tuple[Floats, Floats]:
        """Lowest and highest, (n, 1) or (1, 1)."""
        return np.reshape(self.lowest, (-1, 1)), np.reshape(self.highest, (-1, 1))

    def _at(self, levels: Sequence[tuple[float, str]]) -> Floats:
        """The quantiles of each rate, (n, k), at levels with the words for an error."""
        found = np.empty((len(self.location), len(levels)))
        for residuals, these in self._situations():
            found[these] = [_order_statistic(residuals, q, asked) for q, asked in levels]
        rates = self.location[:, None] + self.scale[:, None] * found
        return np.minimum(np.maximum(rates, self._limits[0]), self._limits[1])

    def _situations(self) -> Iterator[tuple[Floats, NDArray[np.bool_] | slice]]:
        """The residuals of each situation that a row is in, and which rows are."""
        numbers = set(self.which.tolist())
        for number in numbers:
            yield self.residuals[number], slice(None) if len(numbers) == 1 else self.which == number


def _order_statistic(residuals: Floats, q: float, asked: str) -> float:
    count = len(residuals)
    if q == 0.5:
        return float((residuals[(count - 1) // 2] + residuals[count // 2]) / 2.0)
    position = (count + 1) * q
    rank = math.floor(position + _FUZZ) if q < 0.5 else math.ceil(position - _FUZZ)
    if not 1 <= rank <= count:
        needed = math.ceil(1 / min(q, 1 - q) - _FUZZ) - 1
        raise ValueError(f"{asked} needs at least {needed} residuals; there are {count}")
    return float(residuals[rank - 1])
