"""The examples of a cohort as a design matrix with outcomes: what a learner is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.derive import Scale, derive
from features.feature import catalogue
from features.matrix import DesignMatrix
from training.cohort import Cohort, Example, fullest
from training.ways import usual_ways

Floats = NDArray[np.float64]

KINDS = ("last", "change", "category", "derived")
"""Kinds of features that models are given. Months since a marker was drawn serve cautions, not the estimate."""
FEWEST_MEASURED = 10
LEAST_SHARE = 0.01
FEWEST_SITES = 5  # with fewer, a fold would be a fifth of the cohort or more, and unlike the rest


@dataclass(frozen=True, slots=True)
class Examples:
    """Design rows (n, p) in the order of ``matrix``, rates and their standard errors (n,), patient of each row."""

    matrix: DesignMatrix
    X: Floats
    y: Floats
    standard_error: Floats
    patient: NDArray[np.str_]
    site: NDArray[np.str_]

    @property
    def grouped_by(self) -> str:
        """What no fold may split: the site where there are at least 5, the patient otherwise."""
        return "site" if "" not in self.site and len(np.unique(self.site)) >= FEWEST_SITES else "patient"

    @property
    def groups(self) -> NDArray[np.str_]:
        """The group of each example (n,). A patient seen at two sites belongs to the first of them."""
        if self.grouped_by == "patient":
            return self.patient
        _, first, whose = np.unique(self.patient, return_index=True, return_inverse=True)
        return self.site[first][whose]

    def feature(self, column: str) -> Floats:
        """One column (n,) by name; all NaN if the cohort does not have it."""
        if column not in self.matrix.columns:
            return np.full(len(self.y), np.nan)
        return self.X[:, self.matrix.columns.index(column)]


def examples_of(cohort: Cohort) -> Examples:
    """The design matrix of a cohort: a column is in it if at least 10 examples (and 1 %) have it and it varies."""
    return matrix_of(cohort.examples, cohort.scale)


def matrix_of(examples: Sequence[Example], scale: Scale) -> Examples:
    """The same of one example or more that are in no cohort yet.

    Of a quantity whose values mean nothing without how they were measured, those that were measured as most of the
    readings are taken, and no others.
    """
    measured_as = usual_ways(fullest(examples))
    derived = [derive(example.record, scale, measured_as) for example in examples]
    needed = max(FEWEST_MEASURED, LEAST_SHARE * len(derived))
    columns = []
    for column, feature in catalogue().items():
        values = [row[column] for row in derived if column in row]
        if feature.kind in KINDS and len(values) >= needed and len(set(values)) > 1:
            columns.append(column)
    matrix = DesignMatrix(tuple(columns), scale, tuple(measured_as.items()))
    return Examples(
        matrix=matrix,
        X=np.vstack([matrix.order(row) for row in derived]),
        y=np.array([example.outcome.progression_rate for example in examples]),
        standard_error=np.array([example.outcome.standard_error for example in examples]),
        patient=np.array([example.patient_id for example in examples]),
        site=np.array([example.site or "" for example in examples]),
    )
