"""How much of a cohort has an outcome, and what can be said of so many patients before anything is trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.contract.contract_finding import Finding, Material, Severity
from training.fit import ALIKE_REMEDY, FEWEST_PATIENTS
from training.outcome import NoOutcome, alike, outcome

LEVEL = 0.9
_NORMAL = 1.6449  # of the middle 90 % of a normal distribution, on either side
_FARTHEST = (NoOutcome.NO_SCORE, NoOutcome.NO_LATER_SCORE, NoOutcome.SHORT)


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, quartiles and largest of some numbers."""

    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float


@dataclass(frozen=True, slots=True)
class OutcomeCoverage:
    """Outcomes of a cohort.

    Attributes:
        patients_refused: left out for a problem in their rows.
        patients_without: reason and patients; the reason of the visit that came nearest to an outcome.
        visits_without: reason and visits.
        visits_per_patient, months_followed: of all patients whose rows are accepted.
        outcome_visits, outcome_months, rate: visits, span and points/month of the outcomes; None if there are none.
        enough: whether training would start.
        width_at_most: width of a 90 % interval that knows no marker: 5th to 95th percentile of the rates.
        width_at_least: that of one that knows the true rate: the noise of the score alone is left.
        coverage_error, rmse_error: standard errors with which cross-validation on so many patients knows the
            coverage (share), and the RMSE (relative).
    """

    patients: int
    patients_refused: int
    patients_with: int
    patients_without: tuple[tuple[str, int], ...]
    index_visits: int
    visits_without: tuple[tuple[str, int], ...]
    visits_per_patient: Spread | None
    months_followed: Spread | None
    outcome_visits: Spread | None
    outcome_months: Spread | None
    rate: Spread | None
    enough: bool
    fewest_patients: int
    width_at_most: float | None
    width_at_least: float | None
    coverage_error: float | None
    rmse_error: float | None


def spread(numbers: Sequence[float]) -> Spread | None:
    """The spread of some numbers; None of none.

    >>> spread([1.0, 2.0, 3.0, 4.0, 9.0])
    Spread(minimum=1.0, lower_quartile=2.0, median=3.0, upper_quartile=4.0, maximum=9.0)
    """
    if len(numbers) == 0:
        return None
    return Spread(*(float(f"{value:.9g}") for value in np.quantile(numbers, (0.0, 0.25, 0.5, 0.75, 1.0))))


def outcome_coverage(material: Material) -> OutcomeCoverage:
    """Count the outcomes of a cohort, and what they allow."""
    found = [example.outcome for example in material.examples]
    rates = [each.progression_rate for each in found]
    patients = len({example.patient_id for example in material.examples})
    records = [record for _, record in material.records]
    errors = [each.standard_error for each in found]
    return OutcomeCoverage(
        patients=len(material.patients),
        patients_refused=len(material.patients) - len(records),
        patients_with=patients,
        patients_without=_without(material),
        index_visits=len(found),
        visits_without=tuple(sorted(material.without_outcome.items(), key=lambda item: (-item[1], item[0]))),
        visits_per_patient=spread([len(record.visits) for record in records]),
        months_followed=spread([record.visits[-1].month - record.visits[0].month for record in records]),
        outcome_visits=spread([each.visits for each in found]),
        outcome_months=spread([each.span_months for each in found]),
        rate=spread(rates),
        enough=patients >= FEWEST_PATIENTS and alike(rates) is None,
        fewest_patients=FEWEST_PATIENTS,
        width_at_most=float(np.diff(np.quantile(rates, (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)))[0]) if rates else None,
        width_at_least=2.0 * _NORMAL * float(np.median(errors)) if errors else None,
        coverage_error=math.sqrt(LEVEL * (1.0 - LEVEL) / patients) if patients else None,
        rmse_error=1.0 / math.sqrt(2.0 * patients) if patients else None,
    )


def too_few_outcomes(material: Material) -> Iterator[Finding]:
    """Fewer patients with an outcome than training asks for."""
    patients = len({example.patient_id for example in material.examples})
    if patients < FEWEST_PATIENTS:
        rule = f"patients have an outcome; an honest 90 % interval needs at least {FEWEST_PATIENTS}"
        remedy = (
            f"an outcome needs two scores ({material.table.scale}, or all its items) three to twelve months apart; "
            "mend the errors, add follow-up or add patients"
        )
        yield Finding(Severity.ERROR, "too_few_outcomes", rule, remedy, value=str(patients))


def same_outcome(material: Material) -> Iterator[Finding]:
    """Most outcomes are one and the same rate, which training refuses."""
    found = alike([example.outcome.progression_rate for example in material.examples])
    if found is not None:
        yield Finding(Severity.ERROR, "same_outcome", found, ALIKE_REMEDY, column=material.table.scale)


def _without(material: Material) -> tuple[tuple[str, int], ...]:
    having = {example.patient_id for example in material.examples}
    reasons: Counter[str] = Counter()
    for patient, record in material.records:
        if patient.patient_id not in having:
            found = {outcome(record, visit, material.table.scale) for visit in range(len(record.visits))}
            reasons[next(reason.value for reason in reversed(_FARTHEST) if reason in found)] += 1
    return tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
