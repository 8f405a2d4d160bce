"""What is fixed for a simulated patient: rates, onset, sex and the rest, from the traits that the copula drew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.reference.disease_course import Disease, Floats, Texts
from training.reference.reference_constants import EARLIER_RATE, LATER_RATE, Constants, Variable

DELAY, LAG = "diagnostic_delay_months", "enrolment_lag_months"


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Patients in a fixed order; every array has shape (patients,).

    Attributes:
        traits: normal scores of the lasting part of every variable.
        texts, numbers: what does not change between visits, complete (what clinics miss is taken away later).
        disease: the true course.
        clipped: how many values were moved to a limit, by name.
    """

    traits: Mapping[str, Floats]
    texts: Mapping[str, Texts]
    numbers: Mapping[str, Floats]
    disease: Disease
    clipped: Counter[str]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.disease.later_rate)


def people(constants: Constants, traits: Mapping[str, Floats]) -> People:
    """The patients that have these traits."""
    fixed = [each for each in constants.variables.values() if each.marginals and each.assay_cv is None]
    texts: dict[str, Texts] = {}
    numbers: dict[str, Floats] = {}
    for variable in sorted(fixed, key=lambda each: "any" not in each.marginals):  # sex before what depends on it
        values = values_at(variable, traits[variable.name], texts.get("sex"))
        labels = next(iter(variable.marginals.values())).values
        if labels:
            texts[variable.name] = np.array(labels, dtype=object)[values.astype(np.int64)]
        else:
            numbers[variable.name] = values
    clipped: Counter[str] = Counter()
    for rate in (EARLIER_RATE, LATER_RATE):
        numbers[rate] = _possible(rate, numbers[rate], constants, clipped)
    months = _shorten(numbers, constants.course.largest_loss, clipped)
    return People(traits, texts, numbers, Disease(numbers[EARLIER_RATE], numbers[LATER_RATE], months), clipped)


def months_before(constants: Constants, traits: Mapping[str, Floats]) -> Floats:
    """Months from onset to enrolment, shape (patients,), of people with these traits; only three are looked at."""
    numbers = {
        name: values_at(constants.variables[name], traits[name], None) for name in (EARLIER_RATE, DELAY, LAG)
    }
    numbers[EARLIER_RATE] = _possible(EARLIER_RATE, numbers[EARLIER_RATE], constants, Counter())
    return _shorten(numbers, constants.course.largest_loss, Counter())


def values_at(variable: Variable, scores: Floats, sex: Texts | None) -> Floats:
    """Values of a variable at normal scores; ``sex`` decides where its marginals differ, shape as ``scores``."""
    if "any" in variable.marginals:
        return variable.marginals["any"].values_at(scores)
    found = np.full(scores.shape, np.nan)
    for name, marginal in variable.marginals.items():
        these = sex == name
        found[these] = marginal.values_at(scores[these])
    return found


def limit(name: str, values: Floats, low: float, high: float, clipped: Counter[str]) -> Floats:
    """The values within limits, their number counted under ``name`` where they were not.

    >>> counted = Counter()
    >>> limit("x", np.array([1.0, 9.0]), 0.0, 5.0, counted).tolist(), counted
    ([1.0, 5.0], Counter({'x': 1}))
    """
    outside = int(((values < low) | (values > high)).sum())
    if outside:
        clipped[name] += outside
    return np.asarray(np.clip(values, low, high), dtype=np.float64)


def _possible(name: str, rate: Floats, constants: Constants, clipped: Counter[str]) -> Floats:
    return limit(name, rate, constants.course.smallest_rate, constants.course.highest_rate, clipped)


def _shorten(numbers: dict[str, Floats], largest_loss: float, clipped: Counter[str]) -> Floats:
    """Months from onset to enrolment; shortened, with the delay in them, where too many points would be lost."""
    delay = numbers[DELAY]
    months = delay + numbers[LAG]
    factor = np.minimum(1.0, largest_loss / (numbers[EARLIER_RATE] * months))
    clipped["months_since_onset"] += int((factor < 1.0).sum())
    numbers[DELAY] = delay * factor
    return months * factor
