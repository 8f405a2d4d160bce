"""The numbers of answers, many rows at a time: the same as of one, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.distribution import PredictiveDistribution
from model.fitted import FittedModel
from scoring.columns import TOP
from scoring.fault import ScoringFault
from scoring.settings import ScoreSettings

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What a model says of n rows."""

    distribution: PredictiveDistribution
    answers: Floats  # (n, 6): rate, ends of the interval, probabilities of the bands
    shares: Floats | None  # (n, p + 1) contributions and base value, where they are asked for

    @classmethod
    def of(cls, fitted: FittedModel, design: Floats, settings: ScoreSettings) -> Forecasts:
        """Of design rows (n, p)."""
        if settings.explain == "none":
            distribution, shares = fitted.distribution(design), None
        else:
            distribution, shares = fitted.explained(design)
        interval, bands = distribution.interval(settings.coverage), distribution.band_probabilities()
        return cls(distribution, np.column_stack((distribution.location, interval, bands)), shares)

    def columns(
        self, kept: NDArray[np.int64], answered: Mask, matrix: DesignMatrix, settings: ScoreSettings
    ) -> Iterator[pa.Array]:
        """The columns of `scoring.columns.answer_schema` from the rate on; null where a row is not answered.

        Args:
            kept: (k,) the rows that have an answer or an abstention, in their order.
            answered: (k,) which of them have numbers.
            matrix: the columns of the model.
            settings: how contributions are told.

        Raises:
            ArithmeticError: the model gave a number that is not finite.
        """
        answers = self.answers[kept]
        shares = np.zeros((len(kept), 0)) if self.shares is None else self.shares[kept]
        if not (np.isfinite(answers[answered]).all() and np.isfinite(shares[answered]).all()):
            raise ArithmeticError("the model gave a number that is not finite")
        yield from (pa.array(column, mask=~answered) for column in answers.T)
        if self.shares is not None:
            yield pa.array(shares[:, -1], mask=~answered)
        if settings.explain == "top5":
            yield from _largest(shares[:, :-1], answered, matrix)
        elif settings.explain == "all":
            yield from (pa.array(column, mask=~answered) for column in shares[:, :-1].T)


def require_coverage(fitted: FittedModel, coverage: float) -> None:
    """Before anything is scored: each situation has residuals enough for an interval of this coverage.

    Raises:
        ScoringFault: there are too few.
    """
    for situation in fitted.situations:
        try:
            PredictiveDistribution(np.zeros(1), np.ones(1), (situation.residuals,)).interval(coverage)
        except ValueError as error:
            raise ScoringFault(f"{error} in this pack; ask for a lower --coverage") from error


def _largest(shares: Floats, answered: Mask, matrix: DesignMatrix) -> Iterator[pa.Array]:
    """Names and sizes of the largest contributions, largest first, those of a size by name; null where it is 0."""
    names = pa.array(matrix.columns, pa.string())
    by_name = np.argsort(matrix.alphabetical)
    everyone, left = np.arange(len(shares)), np.abs(shares)[:, by_name]
    for _ in range(TOP):
        place = left.argmax(axis=1) if left.shape[1] else np.zeros(len(shares), np.intp)
        at = by_name[place]
        value = shares[everyone, at]
        mask = ~answered | (left[everyone, place] <= 0.0)
        yield names.take(pa.array(at, mask=mask))
        yield pa.array(value, mask=mask)
        left[everyone, place] = -1.0
