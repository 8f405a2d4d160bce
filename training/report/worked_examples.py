"""Four MADE-UP patients, worked through: what is sent, what is answered, and why. Nobody's record is among them.

They are put together from single quartiles of the cohort, column by column, so that even a model of real patients
can be shown at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from features.change import weight
from features.compose import compose
from features.consistency import contradictions
from features.derive import SCALE_MAXIMUM
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import Quantity, vocabulary
from model.answer import Answer
from model.predictor import Predictor
from training.examples import Examples
from training.worth import MARKERS

MONTHS_BETWEEN = 4.0
USUAL_MONTHS = 18.0  # since onset, where no feature says; an example needs some
UPPER, LOWER = 0.75, 0.25
Values = Mapping[str, float]  # by column


@dataclass(frozen=True, slots=True)
class Worked:
    """A made-up patient: what it shows, the record as a clinic system sends it, and the answer."""

    title: str
    record: Mapping[str, object]
    answer: Answer


def worked_examples(predictor: Predictor, examples: Examples) -> tuple[Worked, ...]:
    """The four, answered by a pack.

    Args:
        predictor: of the pack.
        examples: of the cohort, of which quartiles of single columns are taken.
    """
    return tuple(
        Worked(title, compose(record), predictor.predict(record))
        for title, record in _records(predictor.matrix, examples)
    )


def _records(matrix: DesignMatrix, examples: Examples) -> Iterator[tuple[str, PatientRecord]]:
    middle = _quantiles(matrix, examples, dict.fromkeys((-1, 0, 1), 0.5))
    laboratory = {q for quantities in MARKERS.values() for q in quantities}
    words = vocabulary().by_column
    clinical = {c: v for c, v in middle.items() if c not in words or words[c].name not in laboratory}
    yield "First visit, the clinical picture only", _patient(middle, (_visit(matrix, clinical),))
    yield "Seen before, with all markers in the middle", _patient(middle, _history(matrix, middle))
    for word, upper, lower in (("faster", UPPER, LOWER), ("slower", LOWER, UPPER)):
        turned = {**middle, **_quantiles(matrix, examples, {1: upper, -1: lower})}
        kept = {matrix.scale, "months_since_onset"}  # the same score at the same time
        values = {column: middle[column] if column in kept else value for column, value in turned.items()}
        yield f"The same, each marker a quarter towards {word} decline", _patient(middle, _history(matrix, values))


def _quantiles(matrix: DesignMatrix, examples: Examples, levels: Mapping[int, float]) -> dict[str, float]:
    """The quantile of each column whose direction is named, over the examples that have it."""
    found = {}
    for feature in matrix.features:
        values = examples.feature(feature.column)
        if feature.direction in levels:
            found[feature.column] = float(np.nanquantile(values, levels[feature.direction]))
    return found


def _patient(values: Values, visits: tuple[Visit, ...]) -> PatientRecord:
    """A record of these visits, with the more frequent value of each category."""
    categories = {}
    for name, category in vocabulary().categories.items():
        ones = {value: values[column] for column, value in category.columns.items() if column in values}
        if ones and name != "riluzole":
            others = [value for value in category.values if value not in category.columns.values()]
            categories[name] = next((value for value, share in ones.items() if share >= 0.5), others[-1])
    delay = values.get("diagnostic_delay_months")
    return PatientRecord(
        visits=visits,
        categories=categories,
        age_years=None if "age_years" not in values else float(round(values["age_years"])),
        diagnostic_delay_months=None if delay is None else float(min(round(delay), visits[0].month)),
    )


def _history(matrix: DesignMatrix, values: Values) -> tuple[Visit, ...]:
    """The visit, and one four months before: only the score, from which it fell."""
    now = _visit(matrix, values)
    scale = vocabulary().quantities[matrix.scale]
    score, change = values[scale.column], values.get(f"{scale.column}_change_per_month")
    so_far = (score - SCALE_MAXIMUM[matrix.scale]) / now.month
    share = weight(((0.0, 0.0), (MONTHS_BETWEEN, 0.0)))  # that the two scores have in the change
    measured = 0.0 if change is None else so_far + (change - so_far) / share
    before = _readable(scale, score - measured * MONTHS_BETWEEN)
    return Visit(now.month - MONTHS_BETWEEN, {scale.name: Measurement(before)}), now


def _visit(matrix: DesignMatrix, values: Values) -> Visit:
    """A visit with each quantity of the values, but for items of the score and what contradicts the rest."""
    details = {matrix.columns[at] for at in matrix.details}
    measured: dict[str, Measurement] = {}
    for quantity in vocabulary().quantities.values():
        if quantity.level == "visit" and quantity.column in values and quantity.column not in details:
            qualifiers = matrix.measured_as.get(quantity.name, ())
            found = Measurement(_readable(quantity, values[quantity.column]), None, qualifiers)
            if not contradictions("", {**measured, quantity.name: found}):
                measured[quantity.name] = found
    month = max(round(values.get("months_since_onset", USUAL_MONTHS)), 2 * MONTHS_BETWEEN)
    taken = values.get("riluzole_yes")
    return Visit(float(month), measured, None if taken is None else "yes" if taken >= 0.5 else "no")


def _readable(quantity: Quantity, value: float) -> float:
    low, high = quantity.plausible
    rounded = round(value) if quantity.integer else float(f"{value:.3g}")
    return float(min(max(rounded, low), high))
