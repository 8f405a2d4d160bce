"""The reference cohort: simulated patients, drawn from published group statistics and labelled assumptions.

No patient in it exists. What it shows of Tregs and progression is what ``reference_cohort.toml`` put in; real data
replace it. The normal scores of all markers at all visits and of both rates are jointly normal (a Gaussian copula):
as measured at enrolment they have the correlations of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from training.copula import GaussianCopula
from training.disease_course import Floats, ends, keep_visits
from training.reference_constants import EARLIER_RATE, LATER_RATE, Constants, Variable, reference_constants
from training.reference_people import people
from training.reference_visits import patient_ids, visit_table

LARGEST_ADJUSTMENT = (
    0.02  # of a correlation, so that the matrix is one; more means that the table contradicts itself
)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One drawn cohort.

    Attributes:
        visits: the long table, see `simulate`.
        truth: ``patient_id``, ``true_rate`` (next 12 months) and ``earlier_rate``, points lost per month.
        planned: the planned month of each row of ``visits``, shape (visits,); 0 is the enrolment.
        clipped: how many values of a variable were moved to a limit of plausibility, or to one that another sets.
        adjustment: greatest change of a correlation that made the matrix positive definite.
    """

    visits: pd.DataFrame
    truth: pd.DataFrame
    planned: Floats
    clipped: Mapping[str, int]
    adjustment: float


def simulate(patients: int, seed: int) -> pd.DataFrame:
    """Visits of simulated patients: a long table, one row a visit, with the columns of the vocabulary.

    Numbers are in canonical units, NaN where not measured. A value below detection stands as the limit, with "<" in
    ``<column>_comparator``. Categories and comparators are text, or None. Equal arguments give an identical table;
    the first patients of a larger draw are other patients. ``death_month`` is known only afterwards: no feature.

    Raises:
        ValueError: fewer than one patient, or a negative seed.

    >>> visits = simulate(patients=50, seed=1)
    >>> visits["patient_id"].nunique(), visits["alsfrs_r_total"].between(0, 48).all().item()
    (50, True)
    """
    return draw(patients, seed).visits


def simulate_with_truth(patients: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of `simulate`, and what no clinic knows: ``patient_id``, ``true_rate``, ``earlier_rate``.

    >>> _, truth = simulate_with_truth(patients=3, seed=1)
    >>> truth.columns.tolist()
    ['patient_id', 'true_rate', 'earlier_rate']
    """
    drawn = draw(patients, seed)
    return drawn.visits, drawn.truth


def draw(patients: int, seed: int) -> Draw:
    """The table, the truth behind it, and an account of what was clipped.

    >>> draw(patients=20, seed=1).adjustment <= LARGEST_ADJUSTMENT
    True
    """
    if patients < 1 or seed < 0:
        raise ValueError(
            f"patients = {patients}, seed = {seed}: needs at least one patient and a seed of 0 or more"
        )
    constants, copula = reference_constants(), reference_copula()
    streams = np.random.SeedSequence((seed, patients)).spawn(4)
    of_traits, of_ends, of_visits, of_table = (np.random.default_rng(stream) for stream in streams)
    scores = copula.draw(patients, of_traits)
    drawn = people(constants, {name: scores[:, i] for i, name in enumerate(copula.names)})
    end = ends(drawn.disease, constants.course, of_ends)
    visits = keep_visits(drawn.disease, end, constants.course, constants.months, of_visits)
    table, clipped = visit_table(constants, drawn, end, visits, of_table)
    rates = {"true_rate": drawn.disease.later_rate, "earlier_rate": drawn.disease.earlier_rate}
    truth = pd.DataFrame({"patient_id": patient_ids(patients), **rates})
    return Draw(table, truth, visits.planned, clipped, copula.adjustment)


@cache
def reference_copula() -> GaussianCopula:
    """Traits of patients: both rates, and of each variable the part that lasts.

    A correlation in the table is between values as measured; noise weakens it by the root of both stabilities, so
    the traits correlate by that much more.

    Raises:
        ValueError: the table's correlations contradict each other by more than `LARGEST_ADJUSTMENT`.

    >>> reference_copula().names[:2]
    ('later_rate', 'earlier_rate')
    """
    constants = reference_constants()
    drawn = [variable for variable in constants.variables.values() if variable.marginals]
    wanted = np.array([[_correlation(constants, a, b) for b in drawn] for a in drawn])
    lasting = np.sqrt([variable.stability for variable in drawn])
    traits = wanted / np.outer(lasting, lasting)
    np.fill_diagonal(traits, 1.0)
    copula = GaussianCopula.of(tuple(variable.name for variable in drawn), traits)
    if copula.adjustment > LARGEST_ADJUSTMENT:
        raise ValueError(
            f"reference cohort: correlations contradict each other, the nearest matrix differs by "
            f"{copula.adjustment:.3f} (allowed {LARGEST_ADJUSTMENT}); weaken a pair or a group"
        )
    return copula


def _correlation(constants: Constants, a: Variable, b: Variable) -> float:
    """Of two variables as measured: their own pair, else that with a rate, else their group, else via the rate."""
    names = frozenset((a.name, b.name))
    if len(names) == 1:
        return 1.0
    if names in constants.pairs:
        return constants.pairs[names]
    product = a.correlation * b.correlation
    if LATER_RATE in names:
        return product
    if EARLIER_RATE in names:
        other = b if a.name == EARLIER_RATE else a
        return constants.course.marker_share_of_earlier_rate * other.correlation
    if a.group is not None and a.group == b.group:
        harm = -1.0 if (a.correlation < 0) != (b.correlation < 0) else 1.0
        return harm * constants.groups[a.group]
    return product
