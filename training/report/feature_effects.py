"""What a model looks at: the share of each feature, and how its contribution goes with its value.

Values are shown as means over at least 20 index visits, never one by one: a report may be passed on, a patient's
values may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.feature import Feature
from features.vocabulary import vocabulary
from model.fitted import overall
from model.predictor import Predictor
from training.examples import Examples
from training.report.markers import DIRECTIONS

Floats = NDArray[np.float64]
SHOWN = 6
MOST_POINTS, FEWEST_IN_POINT = 10, 20
MIDDLE = (0.1, 0.9)  # of the contributions in a point


@dataclass(frozen=True, slots=True)
class Importance:
    """A feature's share of the mean absolute contribution, every situation counting alike."""

    column: str
    label: str
    group: str
    direction: str
    share: float


@dataclass(frozen=True, slots=True)
class Point:
    """Index visits with about the same value: its mean, and the contribution's mean and middle 80 %."""

    examples: int
    value: float
    contribution: float  # points/month
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Effect:
    """How a feature's contribution goes with its value."""

    column: str
    label: str
    unit: str
    direction: str
    points: tuple[Point, ...]


def importance(predictor: Predictor) -> tuple[Importance, ...]:
    """Every feature, the largest share first."""
    shares = overall(predictor.importance)
    found = [
        Importance(
            each.column, each.label, vocabulary().groups[each.group], DIRECTIONS[each.direction], float(share)
        )
        for each, share in zip(predictor.matrix.features, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda item: (-item.share, item.column)))


def effects(predictor: Predictor, examples: Examples, columns: Sequence[str]) -> tuple[Effect, ...]:
    """Contribution against value over the examples that have the feature, for some features."""
    contributions = predictor.fitted.contributions(examples.X)
    found = []
    for column in columns:
        at = predictor.matrix.columns.index(column)
        feature = predictor.matrix.features[at]
        values = examples.X[:, at]
        have = ~np.isnan(values)
        found.append(_effect(feature, values[have], contributions[have, at]))
    return tuple(found)


def _effect(feature: Feature, values: Floats, shares: Floats) -> Effect:
    points = []
    for part in _parts(values):
        low, high = (float(end) for end in np.quantile(shares[part], MIDDLE))
        points.append(Point(len(part), float(values[part].mean()), float(shares[part].mean()), low, high))
    return Effect(feature.column, feature.label, feature.unit, DIRECTIONS[feature.direction], tuple(points))


def _parts(values: Floats) -> list[NDArray[np.intp]]:
    """Positions by value, at least 20 together (or all, if there are fewer); equal values stay together.

    >>> [len(part) for part in _parts(np.array([0.0] * 30 + [1.0] * 70))]
    [30, 70]
    >>> [len(part) for part in _parts(np.arange(200.0))] == [20] * 10
    True
    """
    least = max(FEWEST_IN_POINT, len(values) / MOST_POINTS)
    parts: list[list[int]] = [[]]
    order = np.argsort(values, kind="stable")
    for previous, position in zip([None, *order[:-1]], order, strict=True):
        if previous is not None and values[position] != values[previous] and len(parts[-1]) >= least:
            parts.append([])
        parts[-1].append(int(position))
    if len(parts) > 1 and len(parts[-1]) < FEWEST_IN_POINT:
        parts[-2:] = [parts[-2] + parts[-1]]
    return [np.array(part, np.intp) for part in parts]
