"""What each marker is worth: the same cross-validation with and without it, on the same patients and folds.

Two questions. What does a marker add to what is already there (a ladder, from the clinical picture up)? And what is
lost when it alone is taken away from everything? Differences are paired by patient; their intervals come from a
bootstrap of patients. Models are not refitted in it, so the chance of a fit is not in the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.distribution import band_of
from training.evaluation import MODEL, Evaluation, evaluate
from training.examples import Examples
from training.fit import regressor_for
from training.paired import RESAMPLES, Difference, difference, figures, patient_draws
from training.progress import Progress, silent

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
            f"In this cohort, {self.marker}, joining {self.joins}, {effect} the 90 % interval by "
            f"{abs(width.estimate):.1%} (change {width.lower:+.1%} to {width.upper:+.1%}) and changes the RMSE by "
            f"{rmse.estimate:+.4f} points/month ({rmse.lower:+.4f} to {rmse.upper:+.4f})"
        )
        return told + ("." if rmse.clear else "; for the RMSE, that cannot be told from no change.")


@dataclass(frozen=True, slots=True)
class Worth:
    """The ladder, the leave-one-outs, the markers that the cohort does not have, and the figures of every set."""

    ladder: tuple[Comparison, ...]
    left_out: tuple[Comparison, ...]
    absent: tuple[str, ...]
    overall: Mapping[str, Mapping[str, float]]  # metrics by set of markers


def worth(
    examples: Examples, *, n_folds: int = 5, seed: int = 0, resamples: int = RESAMPLES, progress: Progress = silent
) -> Worth:
    """Evaluate the ladder and the leave-one-outs on one cohort."""
    has = {marker: _columns(examples.matrix, marker) for marker in MARKERS}
    present = [marker for marker, columns in has.items() if columns]
    clinical = tuple(c for c in examples.matrix.columns if not any(c in columns for columns in has.values()))
    evaluations: dict[tuple[str, ...], Evaluation] = {}

    def evaluated(columns: tuple[str, ...], name: str) -> Evaluation:
        if columns not in evaluations:
            part = _only(examples, columns)
            evaluations[columns] = evaluate(
                part, lambda: regressor_for(part.matrix, seed), n_folds=n_folds, seed=seed
            )
            progress(f"{name}: {len(columns)} features")
        return evaluations[columns]

    rungs = [clinical]
    overall = {CLINICAL: evaluated(clinical, CLINICAL).overall[MODEL]}
    ladder, left_out = [], []
    for marker in present:
        rungs.append(_ordered(examples, {*rungs[-1], *has[marker]}))
        name = f"+ {marker}" + (f" = {EVERYTHING}" if marker == present[-1] else "")
        overall[name] = evaluated(rungs[-1], name).overall[MODEL]
    everything = rungs[-1]
    draws = patient_draws(examples.patient, resamples, seed)
    for marker, below, above in zip(present, rungs[:-1], rungs[1:], strict=True):
        joins = f"the {CLINICAL}" if below == clinical else "what stands above it"
        pair = evaluated(below, marker), evaluated(above, marker)
        ladder.append(_compare(marker, joins, examples, has[marker], *pair, draws))
    for marker in present:
        rest = tuple(column for column in everything if column not in has[marker])
        name = f"{EVERYTHING} minus {marker}"
        overall[name] = evaluated(rest, name).overall[MODEL]
        pair = evaluated(rest, name), evaluated(everything, EVERYTHING)
        left_out.append(_compare(marker, "everything else", examples, has[marker], *pair, draws))
    absent = tuple(marker for marker in MARKERS if not has[marker])
    return Worth(tuple(ladder), tuple(left_out), absent, overall)


def _columns(matrix: DesignMatrix, marker: str) -> tuple[str, ...]:
    """The columns of a matrix that are made of a marker's quantities."""
    return tuple(feature.column for feature in matrix.features if feature.quantity in MARKERS[marker])


def _ordered(examples: Examples, columns: set[str]) -> tuple[str, ...]:
    return tuple(column for column in examples.matrix.columns if column in columns)


def _only(examples: Examples, columns: tuple[str, ...]) -> Examples:
    at = [examples.matrix.columns.index(column) for column in columns]
    matrix = DesignMatrix(columns, examples.matrix.scale)
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
    at = [examples.matrix.columns.index(column) for column in columns]
    having = ~np.isnan(examples.X[:, at]).all(axis=1)
    bands = [band_of(found.forecasts[MODEL].rate) for found in (without, with_it)]
    return Comparison(
        marker=marker,
        joins=joins,
        patients=len(np.unique(examples.patient[having])),
        examples=int(having.sum()),
        differences={key: difference(after[key] - before[key]) for key in before},
        relative_width=difference(after["interval_width"] / before["interval_width"] - 1.0),
        band_changes=float(np.mean(bands[0] != bands[1])),
    )
