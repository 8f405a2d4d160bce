"""From a cohort to the contents of a pack: fit, calibrate, evaluate, and say what came of it."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from features.derive import SCALE_MAXIMUM
from features.matrix import DesignMatrix
from features.version import VERSION
from model.applicability import fit_applicability
from model.boosting import BoosterSettings
from model.contents import Contents
from model.crossfit import grouped_folds
from model.fitted import overall
from model.regressor import ProgressionRegressor
from training.card import card_of, statement_of
from training.cohort import Cohort, CohortError
from training.evaluation import Evaluation, evaluate
from training.examples import Examples, examples_of
from training.outcome import SHORTEST_SPAN_MONTHS, alike
from training.progress import Progress, silent
from training.settings import DEFAULTS

FEWEST_PATIENTS = 40
ALIKE_REMEDY = (
    "scores that are copied from visit to visit, filled in or computed do so; give the scores as they were taken"
)
LIBRARIES = ("numpy", "scikit-learn", "xgboost-cpu")


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a training run made."""

    examples: Examples
    regressor: ProgressionRegressor
    evaluation: Evaluation
    contents: Contents


def regressor_for(matrix: DesignMatrix, seed: int, settings: BoosterSettings = DEFAULTS) -> ProgressionRegressor:
    """An unfitted regressor that knows what is known of the columns.

    Directions, what is history, which are items of a total; and that a slope over at least three months, as every
    outcome is, cannot take the score below 0 (benchmarks/bounds.py: none of 11,842 outcomes of PRO-ACT does; over
    twelve months 9 % would, for the visits of fast patients end earlier).
    """
    score_range = None
    if matrix.scale in matrix.columns:
        score_range = (matrix.columns.index(matrix.scale), SCALE_MAXIMUM[matrix.scale], SHORTEST_SPAN_MONTHS)
    return ProgressionRegressor(
        monotone=list(matrix.directions),
        history=matrix.history,
        details=matrix.details,
        score_range=score_range,
        random_state=seed,
        **asdict(settings),
    )


def require_enough(cohort: Cohort) -> None:
    """Nothing, if a cohort can be fitted.

    Raises:
        CohortError: fewer than 40 patients have an outcome, or most outcomes are one and the same rate.
    """
    if cohort.report.patients_with_outcome < FEWEST_PATIENTS:
        raise CohortError(
            f"{cohort.name}: {cohort.report.patients_with_outcome} patients have an outcome; "
            f"an honest 90 % interval needs at least {FEWEST_PATIENTS}"
        )
    require_varied(cohort)


def require_varied(cohort: Cohort) -> None:
    """Nothing, if the outcomes of a cohort differ enough to learn or to judge by.

    Raises:
        CohortError: most of them are one and the same rate.
    """
    found = alike([example.outcome.progression_rate for example in cohort.examples])
    if found is not None:
        raise CohortError(f"{cohort.name}: {found}; {ALIKE_REMEDY}")


def fit(
    cohort: Cohort,
    *,
    name: str,
    seed: int = 0,
    settings: BoosterSettings = DEFAULTS,
    n_folds: int = 5,
    progress: Progress = silent,
) -> Fitted:
    """Fit a cohort, evaluate it by cross-validation, and put together the contents of a pack.

    Raises:
        CohortError: see `require_enough`.
    """
    require_enough(cohort)
    examples = examples_of(cohort)
    progress(f"{len(examples.y)} index visits, {len(examples.matrix.columns)} features")

    def make() -> ProgressionRegressor:
        return regressor_for(examples.matrix, seed, settings)

    evaluation = evaluate(examples, make, n_folds=n_folds, seed=seed, progress=progress)
    regressor = make().fit(examples.X, examples.y, groups=examples.groups)
    progress("fitted on all patients")
    importance = _importance(regressor, examples)
    features = examples.matrix.features
    looked_at = [at for at, feature in enumerate(features) if feature.kind != "change"]  # changes follow from them
    changes = [at for at, feature in enumerate(features) if feature.kind == "change"]
    folds = grouped_folds(examples.groups, n_folds, seed)
    contents = Contents(
        name=name,
        matrix=examples.matrix,
        fitted=regressor.model_,
        boosters=regressor.booster_json_,
        applicability=fit_applicability(examples.X, looked_at, folds, changes),
        importance=importance,
        statement=statement_of(cohort),
        card=card_of(cohort, examples, evaluation, overall(importance), seed, settings),
        cohort_digest=cohort.digest,
        versions={library: version(library) for library in LIBRARIES} | {"tregcast": VERSION, "python": _python()},
    )
    progress("applicability learnt")
    return Fitted(examples, regressor, evaluation, contents)


def _importance(regressor: ProgressionRegressor, examples: Examples) -> tuple[tuple[float, ...], ...]:
    """Each column's share of the mean absolute contribution, in each situation."""
    sizes = np.abs(regressor.contributions(examples.X)[:, :-1])
    which = regressor.model_.situation_of(examples.X)
    found = []
    for number in range(len(regressor.model_.situations)):
        mean = sizes[which == number].mean(axis=0)
        total = float(mean.sum())
        found.append(tuple(float(size / total) if total > 0 else 0.0 for size in mean))
    return tuple(found)


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])
