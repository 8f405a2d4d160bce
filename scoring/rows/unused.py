"""Which of n rows have something that did not enter their answers: the columns of `model.unused`'s rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.vocabulary import vocabulary
from model.unused import (
    LEAST_WEIGHT,
    PATIENT,
    RILUZOLE,
    only_parts,
    taken,
    unknown_of_patient,
    unknown_values,
    without_change,
)
from scoring.compiled.kernel import kernel
from scoring.rows.cells import Numbers

if TYPE_CHECKING:
    from scoring.rows.rules import Cases

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def not_an_input(cases: Cases) -> Mask:
    """(n,) whether the model has no column for something that was sent."""
    found, matrix = cases.nobody, cases.predictor.matrix
    known = taken(matrix)
    for name, unused in cases.visits.unused.items():
        if name not in known:
            found |= cases.visits.patients.so_far(unused)
    for name in cases.visits.sent:
        if name not in known:
            found |= cases.sent_so_far(name)
    for name, wholes in only_parts(matrix).items():
        if name in cases.visits.sent:
            found |= cases.sent_so_far(name) & ~_computed(cases, wholes)
    for name, value in unknown_values(matrix):
        places = cases.visits.categories.get(name)
        if places is not None:
            found |= places == vocabulary().categories[name].values.index(value)
    given = dict(zip(PATIENT, (cases.visits.age, cases.visits.delay), strict=True))
    for column in unknown_of_patient(matrix):
        found |= ~np.isnan(given[column])
    return found


def diagnosis_after_visit(cases: Cases) -> Mask:
    """(n,) whether the delay ends after the visit."""
    if PATIENT[1] not in cases.predictor.matrix.columns:
        return cases.nobody
    return np.asarray(cases.visits.delay > cases.visits.month + cases.visits.onset_margin)


def earlier_not_used(cases: Cases) -> Mask:
    """(n,) whether earlier values differ from the last of an input whose change the model does not take."""
    found, visits = cases.nobody, cases.visits
    if visits.patients.alone:
        return found
    for name, wholes in without_change(cases.predictor.matrix).items():
        numbers = visits.measured.get(name)
        if numbers is not None:
            through = cases.nobody
            for whole in wholes:
                if whole in visits.measured:
                    through |= ~np.isnan(visits.measured[whole].values)
            found |= superseded(numbers, through, visits.patients.starts)
    places, category = visits.categories.get(RILUZOLE), vocabulary().categories[RILUZOLE]
    if places is not None and any(column in cases.predictor.matrix.columns for column in category.columns):
        said = [visits.patients.so_far(places == place).astype(int) for place in range(len(category.values))]
        found |= np.add.reduce(said) > 1
    return found


def limit_not_in_change(cases: Cases) -> Mask:
    """(n,) whether a reading beyond a limit counts for no change."""
    found = cases.nobody
    for trend in cases.trends.values():
        found |= trend.without_limits
    return found


def change_over_short_span(cases: Cases) -> Mask:
    """(n,) whether a change rests on next to nothing that was measured."""
    found = cases.nobody
    for trend in cases.trends.values():
        found |= trend.weight < LEAST_WEIGHT
    return found


def _computed(cases: Cases, wholes: tuple[str, ...]) -> Mask:
    """(n,) whether any of these quantities was computed from its parts so far."""
    visits, found = cases.visits, cases.nobody
    for whole in wholes:
        if whole in visits.measured:
            there = ~np.isnan(visits.measured[whole].values)
            sent = visits.sent.get(whole)
            found |= visits.patients.so_far(there if sent is None else there & ~sent)
    return found


def superseded(numbers: Numbers, through: Mask, starts: Integers) -> Mask:
    """(n,) whether an earlier value differs from the last one.

    Args:
        numbers: the values of n rows in the order of patient and time.
        through: (n,) where a value enters in another way, and does not count.
        starts: (k,) of each patient's first row.

    >>> never = np.zeros(4, bool)
    >>> superseded(Numbers(np.array([1.0, 1.0, 2.0, 2.0]), never, never), never, np.array([0, 3])).tolist()
    [False, False, True, False]
    """
    out = np.zeros(len(through), np.bool_)
    _superseded(numbers.values, numbers.beyond, through, np.append(starts, len(out)), out)
    return out


@kernel
def _superseded(values: Floats, beyond: Mask, through: Mask, bounds: Integers, out: Mask) -> None:
    for patient in range(len(bounds) - 1):
        lowest, highest = np.inf, -np.inf  # of those that do not enter in another way
        limits = exact = differs = False
        for row in range(bounds[patient], bounds[patient + 1]):
            value = values[row]
            if not np.isnan(value):
                if not through[row]:
                    lowest, highest = min(lowest, value), max(highest, value)
                    limits, exact = limits or beyond[row], exact or not beyond[row]
                differs = (limits or exact) and (
                    lowest != value or highest != value or (exact if beyond[row] else limits)
                )
            out[row] = differs
