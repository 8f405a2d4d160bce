"""The reference cohort: simulated patients, drawn from published group statistics and labelled assumptions.

No patient in it exists. What it shows of Tregs and progression is what ``reference_cohort.toml`` put in; real data
replace it. The normal scores of all markers at all visits and of both rates are jointly normal, with correlations
that pass from an early to a late phase of the disease; as measured at enrolment they have those of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.reference.disease_course import Floats, ends, keep_visits, late_phase
from training.reference.reference_copula import cohort_constants, reference_copula
from training.reference.reference_people import months_before, people
from training.reference.reference_visits import patient_ids, visit_table


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One drawn cohort.

    Attributes:
        visits: the long table, see `simulate`.
        truth: ``patient_id``, ``true_rate`` (next 12 months) and ``earlier_rate``, points lost per month, and
            ``late_phase``, the weight of the late, toxic phase at enrolment.
        planned: the planned month of each row of ``visits``, shape (visits,); 0 is the enrolment.
        clipped: how many values of a variable were moved to a limit of plausibility, or to one that another sets.
        treg_effect: whether Tregs have to do with the rate.
    """

    visits: pd.DataFrame
    truth: pd.DataFrame
    planned: Floats
    clipped: Mapping[str, int]
    treg_effect: bool

    @property
    def enrolled(self) -> pd.DataFrame:
        """The visits of enrolment, one row a patient in the order of ``truth``."""
        rows: pd.DataFrame = self.visits[self.planned == 0].reset_index(drop=True)
        return rows

    @property
    def before(self) -> pd.DataFrame:
        """The visits before enrolment, of the patients who have one."""
        rows: pd.DataFrame = self.visits[self.planned < 0].reset_index(drop=True)
        return rows


def simulate(patients: int, seed: int, *, treg_effect: bool = True) -> pd.DataFrame:
    """Visits of simulated patients: a long table, one row a visit, with the columns of the vocabulary.

    Numbers are in canonical units, NaN where not measured. A value below detection stands as the limit, with "<" in
    ``<column>_comparator``. Categories and comparators are text, or None. Equal arguments give an identical table;
    the first patients of a larger draw are other patients. ``death_month`` is known only afterwards: no feature.

    Args:
        patients: how many. seed: of the draw.
        treg_effect: False draws them as the contrary evidence has it (Cui 2022): Tregs say nothing of the rate.

    Raises:
        ValueError: fewer than one patient, or a negative seed.

    >>> visits = simulate(patients=50, seed=1)
    >>> visits["patient_id"].nunique(), visits["alsfrs_r_total"].between(0, 48).all().item()
    (50, True)
    """
    return draw(patients, seed, treg_effect=treg_effect).visits


def simulate_with_truth(patients: int, seed: int, *, treg_effect: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of `simulate`, and what no clinic knows: both rates and the phase.

    >>> _, truth = simulate_with_truth(patients=3, seed=1)
    >>> truth.columns.tolist()
    ['patient_id', 'true_rate', 'earlier_rate', 'late_phase']
    """
    drawn = draw(patients, seed, treg_effect=treg_effect)
    return drawn.visits, drawn.truth


def draw(patients: int, seed: int, *, treg_effect: bool = True) -> Draw:
    """The table, the truth behind it, and an account of what was clipped.

    >>> len(draw(patients=20, seed=1).enrolled)
    20
    """
    if patients < 1 or seed < 0:
        raise ValueError(
            f"patients = {patients}, seed = {seed}: needs at least one patient and a seed of 0 or more"
        )
    constants, copula = cohort_constants(treg_effect), reference_copula(treg_effect)
    streams = np.random.SeedSequence((seed, patients)).spawn(4)
    of_traits, of_ends, of_visits, of_table = (np.random.default_rng(stream) for stream in streams)
    shared = copula.draw_shared(patients, of_traits)
    months = months_before(constants, dict(zip(copula.names, shared.T, strict=False)))
    late = late_phase(months, constants.course)
    scores = np.hstack([shared, copula.draw_rest(shared, late, of_traits)])
    drawn = people(constants, dict(zip(copula.names, scores.T, strict=True)))
    end = ends(drawn.disease, constants.course, of_ends)
    visits = keep_visits(drawn.disease, end, constants.course, constants.months, of_visits)
    table, clipped = visit_table(constants, drawn, end, visits, of_table)
    rates = {"true_rate": drawn.disease.later_rate, "earlier_rate": drawn.disease.earlier_rate}
    truth = pd.DataFrame({"patient_id": patient_ids(patients), **rates, "late_phase": late})
    return Draw(table, truth, visits.planned, clipped, treg_effect)


def provenance(patients: int, seed: int, *, treg_effect: bool = True) -> str:
    """What every table of simulated patients says of itself.

    >>> provenance(10, 7, treg_effect=False)
    'simulated: Tregcast reference cohort, 10 patients, seed 7, without a Treg effect (Cui 2022)'
    """
    effect = "" if treg_effect else ", without a Treg effect (Cui 2022)"
    return f"simulated: Tregcast reference cohort, {patients} patients, seed {seed}{effect}"
