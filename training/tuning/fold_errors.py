"""What a search minimises: squared error out of fold, fold after fold, so that a poor trial can end early."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.boosting import BoosterSettings
from model.crossfit import grouped_folds

Floats = NDArray[np.float64]


class Regressor(Protocol):
    """What a search needs of a regressor; `model.regressor.ProgressionRegressor` is one."""

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> object:
        """Learn rates y (n,) from rows X (n, p), of which those of a group belong together."""

    def predict(self, X: ArrayLike) -> Floats:
        """The rate of each row, (n,) points/month."""

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        """Lower and upper end of each row's prediction interval, (n, 2) points/month."""


Make = Callable[[BoosterSettings], Regressor]


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a search is given: design rows X (n, p), rates y (n,) and the group of each row (n,)."""

    X: Floats
    y: Floats
    groups: NDArray[np.str_]

    def only(self, which: NDArray[np.bool_]) -> Rows:
        """Some of the rows, as copies: what is left out cannot be reached from them."""
        return Rows(self.X[which].copy(), self.y[which].copy(), self.groups[which].copy())


@dataclass(frozen=True, slots=True)
class FoldErrors:
    """The mean squared errors of settings, fold by fold, on the same folds for all settings."""

    rows: Rows
    make: Make
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, make: Make, *, n_folds: int, seed: int) -> FoldErrors:
        """With folds that keep groups together.

        Raises:
            ValueError: there are fewer than two groups.
        """
        return cls(rows, make, grouped_folds(rows.groups, n_folds, seed))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows in each fold."""
        return tuple(int(size) for size in np.bincount(self.folds))

    def each(self, settings: BoosterSettings) -> Iterator[float]:
        """The mean squared error in each fold, (points/month)^2, of a regressor fitted on the other folds.

        Raises:
            ArithmeticError: a prediction is not a finite number.
        """
        for fold in range(len(self.sizes)):
            test = self.folds == fold
            regressor = self.make(settings)
            regressor.fit(self.rows.X[~test], self.rows.y[~test], groups=self.rows.groups[~test])
            error = float(np.mean((self.rows.y[test] - regressor.predict(self.rows.X[test])) ** 2))
            if not np.isfinite(error):
                raise ArithmeticError("a prediction is not a finite number")
            yield error

    def pooled(self, errors: Sequence[float]) -> float:
        """The mean squared error over the rows of the first folds, as many as there are errors.

        >>> rows = Rows(np.zeros((3, 1)), np.zeros(3), np.array(["a", "b", "c"]))
        >>> FoldErrors(rows, NotImplemented, np.array([0, 0, 1])).pooled([1.0, 4.0])
        2.0
        """
        return float(np.average(errors, weights=self.sizes[: len(errors)]))
