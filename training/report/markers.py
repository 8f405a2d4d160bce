"""What a cohort has of each quantity: who has it, and its middle half. Counts and quartiles, no patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.feature import Feature, catalogue
from features.vocabulary import vocabulary
from training.cohort import Cohort
from training.examples import Examples

FEWEST_SHOWN = 10  # patients behind a quartile, so that it is nobody's own value
DIRECTIONS = {1: "higher is faster", -1: "higher is slower", 0: "not set"}


@dataclass(frozen=True, slots=True)
class Marker:
    """A quantity, or a property that a patient has or has not, at each patient's first index visit."""

    column: str
    label: str
    group: str
    unit: str
    direction: str  # that the model is held to
    share_of_patients: float  # who have it at one index visit at least
    patients: int  # who have it at the first one, of whom the next are
    median: float | None  # None where it is no feature, or fewer than 10 patients have it
    lower_quartile: float | None
    upper_quartile: float | None
    share: float | None  # of a property: the share of patients who have it


def markers(cohort: Cohort, examples: Examples) -> tuple[Marker, ...]:
    """Every quantity and property of the vocabulary, in its order."""
    _, first = np.unique(examples.patient, return_index=True)
    return tuple(_marker(catalogue()[column], share, examples, first) for column, share in cohort.report.measured)


def _marker(
    feature: Feature, share: float, examples: Examples, first: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Marker:
    values = examples.feature(feature.column)[first]
    values = values[~np.isnan(values)]
    category = feature.kind == "category"
    low, middle, high = (None, None, None)
    if len(values) >= FEWEST_SHOWN and not category:
        low, middle, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return Marker(
        column=feature.column,
        label=feature.label,
        group=vocabulary().groups[feature.group],
        unit=feature.unit,
        direction=DIRECTIONS[feature.direction],
        share_of_patients=share,
        patients=len(values),
        median=middle,
        lower_quartile=low,
        upper_quartile=high,
        share=float(values.mean()) if category and len(values) else None,
    )
