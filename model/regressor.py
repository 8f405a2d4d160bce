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
from threadpoolctl import threadpool_limits

from model.blend import Columns, Sample
from model.boosting import BoosterSettings
from model.crossfit import N_JOBS, grouped_folds
from model.distribution import PredictiveDistribution
from model.fitted import SITUATIONS, FittedModel, ScoreRange
from model.situations import learn_situation, samples_of
from model.tables import Rows

Floats = NDArray[np.float64]


class ProgressionRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Rate of progression, in points/month, from any numeric table; NaN means not measured.

    Fitting cross-fits monotone boosted trees and a Gaussian-copula regression over grouped folds and weights them
    by their out-of-fold estimates; a scale model learns the blend's absolute out-of-fold residuals; all are
    refitted on all rows. Where ``history`` says which columns an earlier visit fills, this is done once for first
    visits and once for patients seen before, each calibrated on its own. Answers come from tables of numbers, never
    from a learner, so what is evaluated is what is served. The same data and ``random_state`` give the same bytes.
    Where a fold leaves fewer than 40 rows to learn from, or an outcome that does not vary, trees stand alone.

    Args:
        monotone: the direction of each feature, 1 (never falls with it), -1 (never rises) or 0, by column name (the
            rest are free) or one per column; None leaves all free.
        history: columns that only an earlier visit can fill, by name or position. A row where any of them is
            measured is answered by a model for patients seen before, the others by one for first visits, if at
            least 40 groups are in each situation.
        details: columns that are parts of another one (the items of a score), by name or position; the copula
            does without them where that tells unseen rows better.
        score_range: a column with the points that are left, by name or position, their maximum, and months within
            which no rate may take it below 0 or above the maximum. Intervals, quantiles and band probabilities keep
            to it; `predict` is what contributions add up to, and may lie beyond where the score is nearly 0.
        n_folds: cross-fitting folds; fewer where there are fewer groups.
        random_state: seeds folds and the sampling of rows and features.
        n_trees, max_depth, learning_rate, subsample, colsample, min_child_weight, min_child_share, reg_lambda: see
            `model.boosting.BoosterSettings`.
        n_jobs: threads, at least 1, that fit folds side by side. What is fitted is the same to the bit.

    Attributes:
        model_: the `FittedModel`.
        booster_json_: XGBoost's JSON of the boosters behind it: ``location`` if trees have a
            weight in it, and ``scale`` unless it is constant; with two situations ``first_visit_location``,
            ``follow_up_location`` and so on.
        scale_is_constant_: whether no scale model beat a constant; it was then dropped.
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
        history: Sequence[str | int] | None = None,
        details: Sequence[str | int] | None = None,
        score_range: tuple[str | int, float, float] | None = None,
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
        n_jobs: int = N_JOBS,
    ) -> None:
        self.monotone = monotone
        self.history = history
        self.details = details
        self.score_range = score_range
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
        self.n_jobs = n_jobs

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
        self._fit(rows[used], rates[used].astype(np.float64), weight[used], labels[used], seed)
        return self

    def _fit(self, X: Floats, y: Floats, weight: Floats, groups: NDArray[Any], seed: int) -> None:
        settings = BoosterSettings(**{field.name: getattr(self, field.name) for field in fields(BoosterSettings)})
        names = [str(name) for name in getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])]
        columns = Columns(
            directions=_directions(self.monotone, names),
            history=_positions("history", self.history, names),
            details=_positions("details", self.details, names),
        )
        everything = Sample(X, y, weight, grouped_folds(groups, self.n_folds, seed), np.ones(len(y), np.bool_))
        samples = samples_of(everything, groups, columns)
        with threadpool_limits(1, user_api="blas"):  # folds are fitted side by side: more would get in their way
            learnt = [
                learn_situation(sample, settings, columns, seed=seed, n_jobs=self.n_jobs) for sample in samples
            ]
        history = columns.history if len(learnt) > 1 else ()
        score = None
        if self.score_range is not None:
            column, maximum, months = self.score_range
            (position,) = _positions("score_range", [column], names)
            score = ScoreRange(position, float(maximum), float(months))
        self.model_ = FittedModel(tuple(names), tuple(each.situation for each in learnt), history, score)
        self.booster_json_ = {
            f"{situation}_{part}" if len(learnt) > 1 else part: booster
            for situation, each in zip(SITUATIONS, learnt, strict=False)
            for part, booster in each.boosters.items()
        }
        self.scale_is_constant_ = all(each.situation.scale.is_constant for each in learnt)

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


def _positions(argument: str, chosen: Sequence[str | int] | None, names: Sequence[str]) -> tuple[int, ...]:
    """Columns, by name or position, as positions in increasing order.

    Raises:
        ValueError: naming the argument and a column that is not there.
    """
    places = {name: at for at, name in enumerate(names)}
    found = set()
    for column in chosen or ():
        at = places.get(column) if isinstance(column, str) else int(column)
        if at is None or not 0 <= at < len(names):
            raise ValueError(f"{argument} names {column!r}, which X does not have; its columns are {list(names)}")
        found.add(at)
    return tuple(sorted(found))


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
