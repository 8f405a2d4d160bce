"""The estimator: a scikit-learn regressor whose every answer comes from one predictive distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from model.blend import fit_location
from model.boosting import BoosterSettings
from model.crossfit import fit_scale, grouped_folds
from model.distribution import PredictiveDistribution
from model.fitted import FittedModel
from model.tables import Rows

Floats = NDArray[np.float64]


class ProgressionRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Rate of progression, in points/month, from any numeric table; NaN means not measured.

    Fitting cross-fits monotone boosted trees and a Gaussian-copula regression over grouped folds and weights them
    by their out-of-fold estimates; a scale model learns the blend's absolute out-of-fold residuals; all are
    refitted on all rows. Answers come from tables of numbers, never from a learner, so what is evaluated is what
    is served. The same data and ``random_state`` give the same bytes. Where a fold leaves fewer than 40 rows to
    learn from, or an outcome that does not vary, trees stand alone.

    Args:
        monotone: the direction of each feature, 1 (never falls with it), -1 (never rises) or 0, by column name (the
            rest are free) or one per column; None leaves all free.
        n_folds: cross-fitting folds; fewer where there are fewer groups.
        random_state: seeds folds and the sampling of rows and features.
        n_trees, max_depth, learning_rate, subsample, colsample, min_child_weight, min_child_share, reg_lambda: see
            `model.boosting.BoosterSettings`.

    Attributes:
        model_: the `FittedModel`.
        booster_json_: XGBoost's JSON of the boosters behind it: ``location`` if trees have a
            weight in it, and ``scale`` unless it is constant.
        scale_is_constant_: whether the scale model did not beat a constant and was dropped.
        n_features_in_, feature_names_in_: as of every scikit-learn estimator.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = 1 + 0.5 * X[:, 0] + 0.2 * rng.normal(size=200)
    >>> model = ProgressionRegressor(monotone=[1, 0, 0]).fit(X, y)
    >>> shares = model.contributions(X[:1])
    >>> bool(np.isclose(shares.sum(), model.predict(X[:1])[0], rtol=0, atol=1e-12))
    True
    >>> model.predict_interval(X[:1]).shape, model.band_probabilities(X[:1]).shape
    ((1, 2), (1, 3))
    """

    def __init__(
        self,
        *,
        monotone: Mapping[str, int] | Sequence[int] | None = None,
        n_folds: int = 5,
        random_state: int | np.random.RandomState | None = 0,
        n_trees: int = BoosterSettings.n_trees,
        max_depth: int = BoosterSettings.max_depth,
        learning_rate: float = BoosterSettings.learning_rate,
        subsample: float = BoosterSettings.subsample,
        colsample: float = BoosterSettings.colsample,
        min_child_weight: float = BoosterSettings.min_child_weight,
        min_child_share: float = BoosterSettings.min_child_share,
        reg_lambda: float = BoosterSettings.reg_lambda,
    ) -> None:
        self.monotone = monotone
        self.n_folds = n_folds
        self.random_state = random_state
        self.n_trees = n_trees
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.subsample = subsample
        self.colsample = colsample
        self.min_child_weight = min_child_weight
        self.min_child_share = min_child_share
        self.reg_lambda = reg_lambda

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit on a table X (n, p) and rates y (n,) in points/month.

        Args:
            X: numbers; NaN where not measured, infinity refused.
            y: finite.
            groups: (n,) the patient or site of each row, which no fold splits; without it each row stands alone.
            sample_weight: (n,); 2 counts as the row twice, rows of weight 0 are left out. Each row used gives
                one residual, whatever its weight.

        Raises:
            ValueError: for shapes, values, groups or directions that cannot be used.
        """
        rows, rates = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True, ensure_min_samples=2
        )
        weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        labels = np.arange(len(rows)) if groups is None else np.asarray(groups)
        check_consistent_length(rows, labels)
        used = weight > 0
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        folds = grouped_folds(labels[used], self.n_folds, seed)
        self._fit(rows[used], rates[used].astype(np.float64), weight[used], folds, seed)
        return self

    def _fit(self, X: Floats, y: Floats, weight: Floats, folds: NDArray[np.int64], seed: int) -> None:
        settings = BoosterSettings(**{field.name: getattr(self, field.name) for field in fields(BoosterSettings)})
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])
        directions = _directions(self.monotone, [str(name) for name in names])
        location = fit_location(X, y, weight, folds, settings, directions=directions, seed=seed)
        scale, scale_booster, scales = fit_scale(X, location.estimates, y, weight, folds, seed=seed)
        residuals = np.sort((y - location.estimates) / scales)
        self.model_ = FittedModel(tuple(map(str, names)), location.parts, scale, residuals)
        self.booster_json_ = {}
        if location.booster is not None:
            self.booster_json_["location"] = location.booster
        if scale_booster is not None:
            self.booster_json_["scale"] = scale_booster
        self.scale_is_constant_ = scale_booster is None

    def predict(self, X: ArrayLike) -> Floats:
        """The rate of each row of X (n, p), (n,) points/month: the location of its distribution."""
        return self._model().estimate(self._rows(X))

    def predict_distribution(self, X: ArrayLike) -> PredictiveDistribution:
        """All that is known of the rate of each row of X (n, p)."""
        return self._model().distribution(self._rows(X))

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Floats:
        """Lower and upper end of each row's prediction interval, (n, 2) points/month.

        Raises:
            ValueError: if there are too few residuals for this coverage.
        """
        return self.predict_distribution(X).interval(coverage)

    def predict_quantiles(self, X: ArrayLike, q: Sequence[float]) -> Floats:
        """The quantiles of each row's rate, (n, len(q)) points/month.

        Raises:
            ValueError: if there are too few residuals for one of them.
        """
        distribution = self.predict_distribution(X)
        return np.column_stack([distribution.quantile(level) for level in q])

    def band_probabilities(self, X: ArrayLike) -> Floats:
        """P(slow), P(intermediate), P(fast) of each row, (n, 3)."""
        return self.predict_distribution(X).band_probabilities()

    def contributions(self, X: ArrayLike) -> Floats:
        """Each feature's share of `predict`, (n, p + 1) points/month; the last column is the base value."""
        return self._model().contributions(self._rows(X))

    def _model(self) -> FittedModel:
        check_is_fitted(self, "model_")
        model: FittedModel = self.model_
        return model

    def _rows(self, X: ArrayLike) -> Rows:
        rows: Rows = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _directions(monotone: Mapping[str, int] | Sequence[int] | None, names: Sequence[str]) -> tuple[int, ...]:
    """One direction per column.

    Raises:
        ValueError: naming columns that are not there, a wrong number of directions, or one that is not -1, 0 or 1.
    """
    if monotone is None:
        return (0,) * len(names)
    if isinstance(monotone, Mapping):
        unknown = sorted(set(monotone) - set(names))
        if unknown:
            raise ValueError(f"monotone names {unknown}, which X does not have; its columns are {list(names)}")
        directions = [monotone.get(name, 0) for name in names]
    else:
        directions = list(monotone)
    if len(directions) != len(names):
        raise ValueError(f"monotone has {len(directions)} directions; X has {len(names)} columns")
    wrong = [direction for direction in directions if direction not in (-1, 0, 1)]
    if wrong:
        raise ValueError(f"monotone has the direction {wrong[0]!r}; expected -1, 0 or 1")
    return tuple(int(direction) for direction in directions)
