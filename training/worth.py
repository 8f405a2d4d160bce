"""What each marker is worth: the same cross-validation with and without it, on the same patients and folds.

Two questions. What does a marker add to what is already there (a ladder, from the clinical picture up)? And what is
lost when it alone is taken away from everything? Where only some markers are asked about, a third: what is lost
when those are taken away together? Differences are paired by patient; their intervals hold the chance of the
patients (a bootstrap) and of the fits (how much folds differ), see `training.paired`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.distribution import band_of
from model.regressor import ProgressionRegressor
from training.evaluation import MODEL, Evaluation, evaluate
from training.examples import Examples
from training.fit import regressor_for
from training.metrics import Forecasts, metrics
from training.paired import RESAMPLES, Difference, difference, figures, patient_draws, widened
from training.progress import Progress, silent
from training.side_by_side import side_by_side

MARKERS: dict[str, tuple[str, ...]] = {
    "blood count (NLR)": ("leukocytes", "neutrophils", "lymphocytes", "monocytes", "nlr", "cd8_count"),
    "acute phase": ("crp", "ferritin", "albumin", "lbp", "scd14"),
    "cytokines": ("il6", "tnf_alpha", "il1_beta", "il17a", "ifn_gamma", "il10", "ccl2"),
    "NfL": ("nfl", "pnfh"),
    "Treg count": ("treg_count", "treg_pct_cd4", "cd4_count"),
    "Treg suppression": ("treg_suppression", "foxp3_expression"),
    "other laboratory values": ("creatinine", "uric_acid", "chit1"),
}
"""The rungs of the ladder, each a name and its quantities; what is in none of them is the clinical picture."""
CLINICAL = "clinical picture"
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes when a marker joins: RMSE, R2, interval width and score, coverage, how often the band."""

    marker: str
    joins: str  # what it joins: the rungs below it, or everything else
    patients: int  # who have it
    examples: int  # index visits that have it
    differences: Mapping[str, Difference]
    relative_width: Difference  # of the mean interval width, as a share of the width without the marker
    band_changes: float  # share of index visits whose predicted band is another

    @property
    def sentence(self) -> str:
        """It in one plain sentence."""
        width, rmse = self.relative_width, self.differences["rmse"]
        effect = "narrows" if width.estimate < 0 else "widens"
        told = (
            f"In this cohort, adding {self.marker} to {self.joins} {effect} the 90 % interval by "
            f"{abs(width.estimate):.1%} (change {width.lower:+.1%} to {width.upper:+.1%}) and changes the RMSE by "
            f"{rmse.estimate:+.4f} points/month ({rmse.lower:+.4f} to {rmse.upper:+.4f})"
        )
        unclear = " and the ".join(name for name, each in (("width", width), ("RMSE", rmse)) if not each.clear)
        return told + (f"; for the {unclear}, that cannot be told from no change." if unclear else ".")


@dataclass(frozen=True, slots=True)
class Worth:
    """The ladder, the leave-one-outs, the markers that the cohort does not have, and the figures of every set."""

    ladder: tuple[Comparison, ...]
    left_out: tuple[Comparison, ...]
    together: Comparison | None  # two or more markers that were asked about, all taken away
    absent: tuple[str, ...]
    overall: Mapping[str, Mapping[str, float]]  # metrics by set of markers


def markers_like(words: Sequence[str]) -> tuple[str, ...]:
    """The markers whose name contains one of the words, in the order of the ladder; case does not matter.

    Raises:
        ValueError: no marker has a word in its name.

    >>> markers_like(["treg"])
    ('Treg count', 'Treg suppression')
    """
    for word in words:
        if not any(word.lower() in marker.lower() for marker in MARKERS):
            raise ValueError(f"no marker is called {word!r}; there are: {', '.join(MARKERS)}")
    return tuple(marker for marker in MARKERS if any(word.lower() in marker.lower() for word in words))


def worth(
    examples: Examples,
    *,
    only: Sequence[str] | None = None,
    singly: bool = True,
    n_folds: int = 5,
    seed: int = 0,
    resamples: int = RESAMPLES,
    make: Callable[[DesignMatrix, int], ProgressionRegressor] = regressor_for,
    workers: int = 1,
    progress: Progress = silent,
) -> Worth:
    """Evaluate the ladder and the leave-one-outs on one cohort.

    Args:
        examples: the cohort as a design matrix.
        only: the markers to compare, all by default. The ladder is the same; rungs without need are not evaluated.
        singly: False for just what those asked about are worth together.
        n_folds: outer folds. seed: of folds, fits and resamples. resamples: of patients.
        make: a fresh, unfitted regressor for a matrix and a seed; with several workers a function of a module's top
            level, or a partial of one.
        workers: processes that evaluate sets of markers side by side; each takes as much memory as one.
        progress: told when a set of markers is evaluated.

    Raises:
        WorkerLost: one of several workers was ended from outside.
    """
    plan = _planned(examples.matrix, only, singly)
    names = list(dict.fromkeys(name for pair in plan.pairs for name in (pair.below, pair.above))) or [
        plan.everything
    ]
    unlike = list(dict.fromkeys(plan.sets[name] for name in names))
    workers = min(workers, len(unlike))
    wanted = [_Wanted(examples, columns, make, n_folds, seed, alone=workers == 1) for columns in unlike]
    evaluations: dict[tuple[str, ...], Evaluation] = {}
    for columns, evaluation in zip(unlike, side_by_side(_evaluated, wanted, workers), strict=True):
        evaluations[columns] = evaluation
        progress(f"{next(name for name in names if plan.sets[name] == columns)}: {len(columns)} features")
    draws = patient_draws(examples.patient, resamples, seed)

    def compared(pair: _Pair) -> Comparison:
        below, above = plan.sets[pair.below], plan.sets[pair.above]
        columns = tuple(column for column in above if column not in below)
        without, with_it = evaluations[below], evaluations[above]
        return _compare(pair.marker, pair.joins, examples, columns, without, with_it, draws)

    return Worth(
        ladder=tuple(compared(pair) for pair in plan.ladder),
        left_out=tuple(compared(pair) for pair in plan.left_out),
        together=next((compared(pair) for pair in plan.together), None),
        absent=plan.absent,
        overall={name: evaluations[plan.sets[name]].overall[MODEL] for name in names},
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two sets of markers that are to be compared, by name."""

    marker: str
    joins: str
    below: str
    above: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is compared with what, in one cohort."""

    sets: Mapping[str, tuple[str, ...]]  # columns by the name of the set
    everything: str  # the name of the set of all columns
    ladder: tuple[_Pair, ...]
    left_out: tuple[_Pair, ...]
    together: tuple[_Pair, ...]  # one or none
    absent: tuple[str, ...]  # markers asked about that the cohort does not have

    @property
    def pairs(self) -> tuple[_Pair, ...]:
        """All of them, in the order in which they are told."""
        return self.ladder + self.left_out + self.together


def _planned(matrix: DesignMatrix, only: Sequence[str] | None, singly: bool) -> _Plan:
    has = {marker: _columns(matrix, marker) for marker in MARKERS}
    present = [marker for marker, columns in has.items() if columns]
    asked = [marker for marker in present if only is None or marker in only]
    sets = _sets(matrix.columns, {marker: has[marker] for marker in present})
    rungs = list(sets)
    everything = rungs[-1]

    def lost(markers: Sequence[str]) -> _Pair:
        marker = " and ".join(markers)
        rest = f"{EVERYTHING} minus {marker}"
        gone = {column for each in markers for column in has[each]}
        sets[rest] = tuple(column for column in sets[everything] if column not in gone)
        return _Pair(marker, "everything else", rest, everything)

    return _Plan(
        sets=sets,
        everything=everything,
        ladder=tuple(
            _Pair(marker, _joined(present[: present.index(marker)], only is None), below, above)
            for marker, below, above in zip(present, rungs[:-1], rungs[1:], strict=True)
            if marker in asked and singly
        ),
        left_out=tuple(lost([marker]) for marker in asked if singly),
        together=(lost(asked),) if only is not None and len(asked) > 1 else (),
        absent=tuple(marker for marker in MARKERS if marker not in present and (only is None or marker in only)),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An evaluation that is wanted: of the examples with one set of columns."""

    examples: Examples
    columns: tuple[str, ...]
    make: Callable[[DesignMatrix, int], ProgressionRegressor]
    n_folds: int
    seed: int
    alone: bool  # or beside others, which have the other cores


def _evaluated(wanted: _Wanted) -> Evaluation:
    part, seed = _only(wanted.examples, wanted.columns), wanted.seed

    def make() -> ProgressionRegressor:
        regressor = wanted.make(part.matrix, seed)
        return regressor if wanted.alone else regressor.set_params(n_jobs=1)

    return evaluate(part, make, n_folds=wanted.n_folds, seed=seed)


def _joined(before: Sequence[str], shown: bool) -> str:
    """What a marker joins, with these markers before it on the ladder; by name where not all rungs are shown."""
    if before and shown:
        return "what stands above it"
    *first, last = f"the {CLINICAL}", *before
    return f"{', '.join(first)} and {last}" if first else last


def _sets(columns: tuple[str, ...], has: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The columns of each rung of the ladder by its name, from the clinical picture up to everything."""
    above = {column for marker in has.values() for column in marker}
    sets = {CLINICAL: tuple(column for column in columns if column not in above)}
    for marker, joining in has.items():
        above -= set(joining)
        name = f"+ {marker}" if above else f"+ {marker} = {EVERYTHING}"
        sets[name] = tuple(column for column in columns if column not in above)
    return sets


def _columns(matrix: DesignMatrix, marker: str) -> tuple[str, ...]:
    """The columns of a matrix that are made of a marker's quantities."""
    return tuple(feature.column for feature in matrix.features if feature.quantity in MARKERS[marker])


def _only(examples: Examples, columns: tuple[str, ...]) -> Examples:
    at = [examples.matrix.columns.index(column) for column in columns]
    matrix = replace(examples.matrix, columns=columns)
    return Examples(matrix, examples.X[:, at], examples.y, examples.standard_error, examples.patient, examples.site)


def _compare(
    marker: str,
    joins: str,
    examples: Examples,
    columns: tuple[str, ...],
    without: Evaluation,
    with_it: Evaluation,
    draws: NDArray[np.float64],
) -> Comparison:
    before, after = (
        figures(found.observed, found.forecasts[MODEL], examples.patient, draws) for found in (without, with_it)
    )
    folds = [(_in_fold(without, fold), _in_fold(with_it, fold)) for fold in np.unique(without.folds)]
    relative = difference(after["interval_width"] / before["interval_width"] - 1.0)
    at = [examples.matrix.columns.index(column) for column in columns]
    having = ~np.isnan(examples.X[:, at]).all(axis=1)
    bands = [band_of(found.forecasts[MODEL].rate) for found in (without, with_it)]
    return Comparison(
        marker=marker,
        joins=joins,
        patients=len(np.unique(examples.patient[having])),
        examples=int(having.sum()),
        differences={
            key: widened(difference(after[key] - before[key]), [b[key] - a[key] for a, b in folds])
            for key in before
        },
        relative_width=widened(relative, [b["interval_width"] / a["interval_width"] - 1.0 for a, b in folds]),
        band_changes=float(np.mean(bands[0] != bands[1])),
    )


def _in_fold(evaluation: Evaluation, fold: int) -> dict[str, float]:
    """The metrics of one fold's rows."""
    found, rows = evaluation.forecasts[MODEL], evaluation.folds == fold
    part = Forecasts(found.rate[rows], found.interval[rows], found.coverage)
    return metrics(evaluation.observed[rows], part)
