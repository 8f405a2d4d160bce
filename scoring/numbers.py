"""The numbers of answers, many rows at a time: the same as of one, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.distribution import PredictiveDistribution
from model.fitted import FittedModel
from scoring.columns import TOP
from scoring.settings import ScoreSettings

Floats = NDArray[np.float64]


def number_columns(
    fitted: FittedModel, matrix: DesignMatrix, design: Floats, answered: NDArray[np.bool_], settings: ScoreSettings
) -> Iterator[pa.Array]:
    """The columns of `scoring.columns.answer_schema` from the rate on; null where a row is not answered.

    Args:
        fitted: what answers.
        matrix: its columns.
        design: (n, p) design rows.
        answered: (n,)
        settings: coverage of the interval, and how contributions are told.

    Raises:
        ArithmeticError: the model gave a number that is not finite.
    """
    rows = design[answered]
    if settings.explain == "none":
        distribution, shares = fitted.distribution(rows), np.empty((len(rows), 0))
    else:
        distribution, shares = fitted.explained(rows)
    numbers = _numbers(distribution, settings.coverage)
    if not (np.isfinite(numbers).all() and np.isfinite(shares).all()):
        raise ArithmeticError("the model gave a number that is not finite")
    yield from (_spread(column, answered) for column in numbers.T)
    if settings.explain != "none":
        yield _spread(shares[:, -1], answered)
    if settings.explain == "top5":
        yield from _largest(shares[:, :-1], answered, matrix)
    elif settings.explain == "all":
        yield from (_spread(column, answered) for column in shares[:, :-1].T)


def _numbers(distribution: PredictiveDistribution, coverage: float) -> Floats:
    """(n, 6): rate, ends of the interval, probabilities of the bands."""
    parts = (distribution.location, distribution.interval(coverage), distribution.band_probabilities())
    return np.column_stack(parts)


def _largest(shares: Floats, answered: NDArray[np.bool_], matrix: DesignMatrix) -> Iterator[pa.Array]:
    """Names and sizes of the largest contributions, largest first, those of a size by name; null where it is 0."""
    names = pa.array(matrix.columns, pa.string())
    order = np.lexsort((np.broadcast_to(matrix.alphabetical, shares.shape), -np.abs(shares)))
    for place in range(TOP):
        at = order[:, place] if place < shares.shape[1] else np.zeros(len(shares), np.intp)
        sizes = np.take_along_axis(shares, at[:, None], 1)[:, 0] if place < shares.shape[1] else np.zeros(len(at))
        there = answered.copy()
        there[answered] = sizes != 0.0
        yield names.take(_indices(at, answered, there))
        yield _spread(sizes, answered, there)


def _indices(at: NDArray[np.intp], answered: NDArray[np.bool_], there: NDArray[np.bool_]) -> pa.Array:
    whole = np.zeros(len(answered), np.int64)
    whole[answered] = at
    return pa.array(whole, mask=~there)


def _spread(values: Floats, answered: NDArray[np.bool_], there: NDArray[np.bool_] | None = None) -> pa.Array:
    """The values of answered rows as a column of all rows, null where there is none."""
    whole = np.zeros(len(answered))
    whole[answered] = values
    return pa.array(whole, mask=~(answered if there is None else there))
