"""What tuning is worth, honestly: the search repeated inside each outer fold, judged on rows it was never given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.boosting import BoosterSettings
from model.predictor import COVERAGE
from training.metrics import Forecasts, metrics
from training.paired import RESAMPLES, Difference, difference, figures, patient_draws, widened
from training.settings import DEFAULTS
from training.tuning.fold_errors import Make, Regressor, Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OuterFold:
    """One outer fold: the settings found without it, and the forecasts of its rows by them and by the defaults."""

    settings: BoosterSettings
    tuned: Forecasts
    default: Forecasts


@dataclass(frozen=True, slots=True)
class Honest:
    """Tuned minus default on rows that no search was given, with 95 % intervals paired by patient."""

    n_folds: int
    settings: tuple[BoosterSettings, ...]  # found in each fold
    tuned: Mapping[str, float]  # metrics
    default: Mapping[str, float]
    differences: Mapping[str, Difference]

    @property
    def sentence(self) -> str:
        """It in one plain sentence."""
        found = self.differences["rmse"]
        told = (
            f"Tuned anew in each of {self.n_folds} outer folds, on rows that the search was never given, the RMSE "
            f"is {self.tuned['rmse']:.4f} against {self.default['rmse']:.4f} with the default settings: "
            f"{found.estimate:+.4f} points/month ({found.lower:+.4f} to {found.upper:+.4f})"
        )
        if not found.clear:
            return f"{told}, which cannot be told from no difference."
        return f"{told}: {'tuning helps' if found.estimate < 0 else 'tuning does harm'} in this cohort."


def outer_fold(
    rows: Rows, test: NDArray[np.bool_], make: Make, find: Callable[[Rows], BoosterSettings]
) -> OuterFold:
    """Search without the rows of a fold, then forecast them.

    Args:
        rows: all of them. test: (n,) those of the fold.
        make: a fresh regressor of some settings.
        find: a search, which is given the other rows and nothing else.
    """
    train = rows.only(~test)
    settings = find(train)
    default = _forecast(make(DEFAULTS), train, rows.X[test])
    tuned = default if settings == DEFAULTS else _forecast(make(settings), train, rows.X[test])
    return OuterFold(settings, tuned, default)


def honest(
    rows: Rows, patient: NDArray[np.str_], folds: NDArray[np.int64], found: Sequence[OuterFold], *, seed: int
) -> Honest:
    """Put outer folds together.

    Args:
        rows: all of them. patient: (n,) whose each row is.
        folds: (n,) the outer fold of each row. found: each fold, in order.
        seed: of the resamples of patients.
    """
    put = {name: _together(folds, [getattr(fold, name) for fold in found]) for name in ("tuned", "default")}
    draws = patient_draws(patient, RESAMPLES, seed)
    tuned, default = (figures(rows.y, put[name], patient, draws) for name in ("tuned", "default"))
    by_fold = [
        (metrics(rows.y[folds == at], fold.tuned), metrics(rows.y[folds == at], fold.default))
        for at, fold in enumerate(found)
    ]
    return Honest(
        n_folds=len(found),
        settings=tuple(fold.settings for fold in found),
        tuned=metrics(rows.y, put["tuned"]),
        default=metrics(rows.y, put["default"]),
        differences={
            key: widened(difference(tuned[key] - default[key]), [a[key] - b[key] for a, b in by_fold])
            for key in tuned
        },
    )


def _forecast(regressor: Regressor, train: Rows, X: Floats) -> Forecasts:
    regressor.fit(train.X, train.y, groups=train.groups)
    return Forecasts(regressor.predict(X), regressor.predict_interval(X, COVERAGE), COVERAGE)


def _together(folds: NDArray[np.int64], parts: Sequence[Forecasts]) -> Forecasts:
    rate, interval = np.empty(len(folds)), np.empty((len(folds), 2))
    for at, part in enumerate(parts):
        rate[folds == at], interval[folds == at] = part.rate, part.interval
    return Forecasts(rate, interval, COVERAGE)
