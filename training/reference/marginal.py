"""A marginal distribution, as a way from normal scores to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log1p, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_PARAMETERS: Mapping[str, tuple[frozenset[str], ...]] = {
    "lognormal": (frozenset({"median", "log_sd"}), frozenset({"mean", "log_sd"}), frozenset({"mean", "sd"})),
    "normal": (frozenset({"mean", "sd"}),),
    "beta": (frozenset({"mean", "sd", "low", "high"}),),
    "uniform": (frozenset({"low", "high"}),),
    "categorical": (frozenset(),),
}


@dataclass(frozen=True, slots=True)
class Marginal:
    """A distribution of one kind: lognormal, normal, beta (stretched from low to high), uniform or categorical.

    A lognormal is given by its median or mean, and the SD of its logarithm or its own SD: as it was published.
    """

    kind: str
    parameters: Mapping[str, float]
    values: tuple[str, ...] = ()  # of a categorical, in the order of the normal score
    shares: tuple[float, ...] = ()

    @classmethod
    def parse(cls, row: Mapping[str, object]) -> Marginal:
        """The marginal that a table describes; its ``source`` is for the reader.

        Raises:
            ValueError: the kind is unknown, or its parameters are not those it needs.

        >>> Marginal.parse({"kind": "normal", "mean": 62.0, "sd": 11.5, "source": "assumption: adults"}).kind
        'normal'
        """
        kind, values, shares = str(row["kind"]), row.get("values", []), row.get("shares", [])
        numbers = {
            key: float(value)
            for key, value in row.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        if frozenset(numbers) not in _PARAMETERS.get(kind, ()):
            raise ValueError(f"marginal of kind {kind!r} with {sorted(numbers)}; known: {_PARAMETERS}")
        if not isinstance(values, list) or not isinstance(shares, list) or len(values) != len(shares):
            raise ValueError(f"categorical marginal: one share a value, not {values!r} and {shares!r}")
        if kind == "categorical" and abs(sum(shares) - 1.0) > 1e-9:
            raise ValueError(f"categorical marginal: shares {shares!r} add up to {sum(shares)}, not 1")
        return cls(kind, numbers, tuple(str(value) for value in values), tuple(float(share) for share in shares))

    def values_at(self, scores: Floats) -> Floats:
        """The values at given normal scores, any shape; of a categorical, the position in ``values``.

        >>> Marginal("lognormal", {"median": 10.0, "log_sd": 0.5}).values_at(np.array([0.0])).tolist()
        [10.0]
        """
        known = self.parameters
        if self.kind == "lognormal":
            return np.asarray(self.median * np.exp(self.log_sd * scores), dtype=np.float64)
        if self.kind == "normal":
            return known["mean"] + known["sd"] * scores
        below = special.ndtr(scores)
        if self.kind == "categorical":
            return np.searchsorted(np.cumsum(self.shares)[:-1], below).astype(np.float64)
        width = known["high"] - known["low"]
        if self.kind == "beta":
            a, b = self._shape()
            below = special.betaincinv(a, b, below)
        return np.asarray(known["low"] + width * below, dtype=np.float64)

    def scores_at(self, values: Floats) -> Floats:
        """The normal scores of given values, any shape: what `values_at` turns round. Outside the range, infinite.

        >>> Marginal("lognormal", {"median": 10.0, "log_sd": 0.5}).scores_at(np.array([10.0, 0.0])).tolist()
        [0.0, -inf]
        """
        known = self.parameters
        if self.kind == "lognormal":
            positive = values > 0.0
            logs = np.log(np.where(positive, values, 1.0) / self.median) / self.log_sd
            return np.where(positive, logs, -np.inf)
        if self.kind == "normal":
            return np.asarray((values - known["mean"]) / known["sd"], dtype=np.float64)
        if self.kind == "categorical":
            raise ValueError("a category is an interval of scores, not one score: see edges")
        below = np.clip((values - known["low"]) / (known["high"] - known["low"]), 0.0, 1.0)
        if self.kind == "beta":
            below = special.betainc(*self._shape(), below)
        return np.asarray(special.ndtri(below), dtype=np.float64)

    def edges(self) -> Floats:
        """Where the normal scores of the categories begin and end, shape (categories + 1,).

        >>> Marginal("categorical", {}, ("a", "b"), (0.5, 0.5)).edges().tolist()
        [-inf, 0.0, inf]
        """
        inner = special.ndtri(np.cumsum(self.shares)[:-1])
        return np.concatenate([[-np.inf], inner, [np.inf]])

    @property
    def log_sd(self) -> float:
        """SD of the logarithm of a lognormal."""
        known = self.parameters
        return known["log_sd"] if "log_sd" in known else sqrt(log1p((known["sd"] / known["mean"]) ** 2))

    @property
    def median(self) -> float:
        """Median of a lognormal."""
        known = self.parameters
        return known["median"] if "median" in known else known["mean"] * exp(-(self.log_sd**2) / 2)

    def stability(self, cv: float) -> float:
        """Share of the variance that is not noise of the coefficient of variation ``cv`` (log scale if lognormal).

        >>> round(Marginal("normal", {"mean": 100.0, "sd": 20.0}).stability(0.10), 2)
        0.75
        """
        known = self.parameters
        if self.kind == "lognormal":
            return 1.0 - log1p(cv**2) / self.log_sd**2
        return 1.0 - (cv * known["mean"] / known["sd"]) ** 2

    def _shape(self) -> tuple[float, float]:
        """Both shape parameters of a beta with the given mean and SD, by its moments."""
        known = self.parameters
        width = known["high"] - known["low"]
        mean, variance = (known["mean"] - known["low"]) / width, (known["sd"] / width) ** 2
        total = mean * (1.0 - mean) / variance - 1.0
        return mean * total, (1.0 - mean) * total
