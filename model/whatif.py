"""What the model says of a patient if one quantity of the index visit were another.

An association in the training cohort, not an effect of treatment: nobody was treated to that value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.consistency import contradictions
from features.problem import Problem
from features.record import Measurement, PatientRecord
from features.vocabulary import Quantity
from model.answer import Answer
from model.predictor import Predictor

LABEL = "Association in the training cohort, not an effect of treatment."


@dataclass(frozen=True, slots=True)
class Point:
    """One value (canonical unit) and the answer with it, or why there can be no such record."""

    value: float
    answer: Answer | tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The answers along the values of one quantity, all else as it is."""

    quantity: Quantity
    points: tuple[Point, ...]


def curve(predictor: Predictor, record: PatientRecord, quantity: Quantity, values: Sequence[Measurement]) -> Curve:
    """The answers for a record whose index visit has each of these values of a quantity.

    Where biology gives the quantity a direction, the estimates never go against it.

    Args:
        predictor: that answers.
        record: a patient. Its other measurements stay, so a value may contradict them: then the point has problems.
        quantity: of a visit. values: in the canonical unit.
    """
    return Curve(quantity, tuple(_point(predictor, record, quantity, value) for value in values))


def _point(predictor: Predictor, record: PatientRecord, quantity: Quantity, value: Measurement) -> Point:
    index = record.index_visit
    measured = {**index.measurements, quantity.name: value}
    problems = contradictions("measurements", measured)
    if problems:
        return Point(value.value, tuple(problems))
    visits = (*record.visits[:-1], replace(index, measurements=measured))
    return Point(value.value, predictor.predict(replace(record, visits=visits)))
