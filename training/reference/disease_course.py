"""How simulated disease goes: the true score over time, deaths, drop-out, visits kept, and the twelve items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from features.consistency import ITEMS_ALSFRS_R
from training.reference.reference_constants import Course

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Texts = NDArray[np.object_]

FULL_SCORE, FULL_ITEM = 48, 4
_HORIZON = 12  # months from enrolment within which deaths and drop-out are drawn
_BULBAR, _FINE, _GROSS, _RESPIRATORY = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)


@dataclass(frozen=True, slots=True, eq=False)
class Disease:
    """The truth about patients; every array has shape (patients,).

    Attributes:
        earlier_rate, later_rate: points lost per month before and after enrolment.
        months_before: months from onset to enrolment.
    """

    earlier_rate: Floats
    later_rate: Floats
    months_before: Floats

    def score(self, patient: Integers, month: Floats) -> Floats:
        """True ALSFRS-R, not rounded, of patients at months from enrolment (negative: before it), 0 to 48.

        >>> one = Disease(np.array([0.5]), np.array([1.0]), np.array([20.0]))
        >>> one.score(np.array([0, 0]), np.array([-4.0, 6.0])).tolist()
        [40.0, 32.0]
        """
        rate = np.where(month < 0, self.earlier_rate[patient], self.later_rate[patient])
        at_enrolment = FULL_SCORE - self.earlier_rate[patient] * self.months_before[patient]
        return np.clip(at_enrolment - rate * month, 0.0, FULL_SCORE)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Months from enrolment, shape (patients,); infinite where nothing happened within 12 months."""

    death: Floats
    dropout: Floats
    death_known: Booleans


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """The visits that took place, by patient and time; every array has shape (visits,)."""

    patient: Integers  # position
    planned: Floats  # months from enrolment
    month: Floats  # the same, as it came about


def late_phase(months: Floats, course: Course) -> Floats:
    """Weight of the late, toxic phase, 0 to 1, at months since onset: logistic in their logarithm.

    >>> from training.reference.reference_constants import reference_constants
    >>> late_phase(np.array([10.0, 15.0, 22.5]), reference_constants().course).round(2).tolist()
    [0.16, 0.5, 0.84]
    """
    return np.asarray(
        special.expit(np.log(months / course.phase_middle_months) / course.phase_log_width), dtype=np.float64
    )


def ends(disease: Disease, course: Course, generator: np.random.Generator) -> Ends:
    """Deaths and drop-out: hazards rise with the rate, that of death also with every point lost."""
    patients = len(disease.later_rate)
    relative = disease.later_rate / disease.later_rate.mean()
    months = np.tile(np.arange(1.0, _HORIZON + 1), patients)
    score = disease.score(np.repeat(np.arange(patients), _HORIZON), months).reshape(patients, _HORIZON)
    severity = 2.0 ** ((course.death_reference_score - score) / course.death_doubling_points)
    hazard = course.death_hazard * relative[:, None] ** course.death_per_log_rate * severity
    death = _first(np.cumsum(hazard, axis=1), generator.exponential(size=patients))
    leaving = course.dropout_hazard * relative**course.dropout_per_log_rate
    dropout = generator.exponential(size=patients) / leaving
    dropout[dropout > _HORIZON] = np.inf
    reported = generator.random(patients) < course.death_known_after_dropout
    return Ends(death, dropout, np.isfinite(death) & ((death <= dropout) | reported))


def _first(cumulative: Floats, threshold: Floats) -> Floats:
    """Month at which a cumulative hazard, known at the end of each month and linear within, passes a threshold."""
    padded = np.pad(cumulative, ((0, 0), (1, 0)))
    month = (cumulative < threshold[:, None]).sum(axis=1)
    inside = month < _HORIZON
    found = np.full(len(threshold), np.inf)
    rows, start = np.flatnonzero(inside), month[inside]
    before, after = padded[rows, start], padded[rows, start + 1]
    found[rows] = start + (threshold[rows] - before) / (after - before)
    return found


def keep_visits(
    disease: Disease, end: Ends, course: Course, months: tuple[float, ...], generator: np.random.Generator
) -> Visits:
    """The planned visits that took place: enrolment always, others unless missed, or after death or drop-out."""
    patients, planned = len(disease.later_rate), np.asarray(months)
    jitter = course.visit_jitter_sd * generator.standard_normal((patients, len(planned))).clip(-2.5, 2.5)
    month = planned + np.where(planned == 0, 0.0, jitter)
    kept = generator.random(month.shape) >= course.missed_visit_share
    before = planned < 0
    seen_before = generator.random(patients) < course.earlier_visit_share
    kept[:, before] = seen_before[:, None] & (disease.months_before[:, None] + month[:, before] > 1.0)
    kept &= month < np.minimum(end.death, end.dropout)[:, None]
    kept[:, planned == 0] = True
    patient, visit = np.nonzero(kept)
    return Visits(patient, planned[visit], month[patient, visit])


def totals(true_score: Floats, course: Course, generator: np.random.Generator) -> Integers:
    """ALSFRS-R totals as scored, whole numbers 0 to 48; rounding (variance 1/12) is part of the published noise."""
    noise = np.sqrt(course.score_noise_sd**2 - 1.0 / 12.0)
    scored = np.rint(true_score + noise * generator.standard_normal(len(true_score)))
    found: Integers = np.clip(scored, 0, FULL_SCORE).astype(np.int64)
    return found


def items(
    total: Integers, patient: Integers, onset: Texts, course: Course, generator: np.random.Generator
) -> Integers:
    """The twelve items, shape (visits, 12), each 0 to 4, adding up to ``total`` exactly.

    Each patient has one order in which the 48 points go: the items in the region of onset first, respiratory ones
    last, scattered between patients. An item therefore never recovers unless the total does.

    Args:
        total: shape (visits,). patient: position in ``onset``, shape (visits,). onset: site, shape (patients,).
        course: constants. generator: for the order.

    >>> from training.reference.reference_constants import reference_constants
    >>> onset, generator = np.array(["bulbar"], dtype=object), np.random.default_rng(1)
    >>> items(np.array([40, 9]), np.array([0, 0]), onset, reference_constants().course, generator).sum(axis=1)
    array([40,  9])
    """
    patients = len(onset)
    turn = course.item_scatter_sd * generator.standard_normal((patients, len(ITEMS_ALSFRS_R)))
    arms = generator.random(patients) < 0.5
    turn[:, _RESPIRATORY] += np.where(onset == "respiratory", 0.0, course.item_respiratory_lag)[:, None]
    spinal = onset == "spinal"
    for region, first in (
        (_BULBAR, onset == "bulbar"),
        (_FINE, spinal & arms),
        (_GROSS, spinal & ~arms),
        (_RESPIRATORY, onset == "respiratory"),
    ):
        turn[:, region] -= course.item_onset_lead * first[:, None]
    point = turn[:, :, None] + np.arange(FULL_ITEM)
    order = np.argsort(point.reshape(patients, FULL_SCORE), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")[patient]
    kept = rank >= (FULL_SCORE - total)[:, None]
    found: Integers = kept.reshape(len(total), len(ITEMS_ALSFRS_R), FULL_ITEM).sum(axis=2)
    return found
