"""The copula of the reference cohort: what its table of constants says of correlations, in both phases."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.reference.copula import TwoPhaseCopula
from training.reference.reference_constants import (
    EARLIER_RATE,
    LATER_RATE,
    Constants,
    Link,
    Variable,
    reference_constants,
    without_treg_effect,
)

Floats = NDArray[np.float64]


@cache
def cohort_constants(treg_effect: bool = True) -> Constants:
    """The table, or the table without what Tregs have to do with the rate."""
    return reference_constants() if treg_effect else without_treg_effect(reference_constants())


@cache
def reference_copula(treg_effect: bool = True) -> TwoPhaseCopula:
    """Traits of patients: both rates, and of each variable the part that lasts.

    Shared between the phases is what is fixed for a patient, the rate to come excepted. A correlation in the table
    is between values as measured; noise weakens it by the root of both stabilities, so the traits correlate by that
    much more.

    Raises:
        ValueError: the table's correlations contradict each other.

    >>> reference_copula().names[:2]
    ('earlier_rate', 'site')
    """
    constants = cohort_constants(treg_effect)
    drawn = sorted(
        (variable for variable in constants.variables.values() if variable.marginals),
        key=lambda each: not _is_shared(each),
    )
    shared = sum(map(_is_shared, drawn))
    if changing := [each.name for each in drawn[:shared] if each.rate.change]:
        raise ValueError(f"{', '.join(changing)}: fixed for a patient, so without a change between the phases")
    early, late = (_traits(constants, drawn, weight) for weight in (0.0, 1.0))
    return TwoPhaseCopula.of(tuple(variable.name for variable in drawn), shared, early, late)


def _is_shared(variable: Variable) -> bool:
    return variable.assay_cv is None and variable.name != LATER_RATE


def _traits(constants: Constants, drawn: list[Variable], late: float) -> Floats:
    wanted = np.array([[_correlation(constants, a, b, late) for b in drawn] for a in drawn])
    lasting = np.sqrt([variable.stability for variable in drawn])
    traits = np.asarray(wanted / np.outer(lasting, lasting), dtype=np.float64)
    np.fill_diagonal(traits, 1.0)
    return traits


def _correlation(constants: Constants, a: Variable, b: Variable, late: float) -> float:
    """Of two variables as measured: their own pair, else that with a rate, else their group, else via the rate."""
    names = frozenset((a.name, b.name))
    if len(names) == 1:
        return 1.0
    if names in constants.pairs:
        return constants.pairs[names].at(late)
    shared = _is_shared(a) or _is_shared(b)
    weight = 0.5 if shared else late  # what is shared depends on no phase
    product = a.rate.at(weight) * b.rate.at(weight)
    if LATER_RATE in names:
        return product
    if EARLIER_RATE in names:
        other = b if a.name == EARLIER_RATE else a
        return constants.course.marker_share_of_earlier_rate * other.rate.correlation
    if a.group is not None and a.group == b.group:
        return _harm(a.rate, b.rate) * constants.groups[a.group].at(late)
    return product


def _harm(a: Link, b: Link) -> float:
    """-1 where one of two markers rises with harm and the other falls."""
    return -1.0 if (a.correlation < 0) != (b.correlation < 0) else 1.0
