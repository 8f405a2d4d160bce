"""Features whose values a retraining found elsewhere altogether: most likely in another unit."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from features.feature import Feature
from features.units import plain
from model.applicability import Knots
from model.predictor import Predictor

MIDDLE = (0.05, 0.95)
"""Quantiles of the champion's training cohort between which the challenger's median must lie. Assumption, as in
`training.contract.typical_range`: a cohort whose median lies where one patient in twenty would be is odd."""


def changed_units(before: Predictor, after: Predictor) -> list[str]:
    """What to look at: columns of both whose median, in training, left the range that the other one knows.

    Forecasts out of fold do not show it: a model that was trained and judged in one wrong unit is right within it,
    and wrong for every patient to come.
    """
    known = _columns(before)
    found = []
    for column, (feature, knots) in _columns(after).items():
        if feature.kind == "last" and column in known:
            low, middle, high = (_quantile(known[column][1], share) for share in (MIDDLE[0], 0.5, MIDDLE[1]))
            median = _quantile(knots, 0.5)
            if not low <= median <= high:
                found.append(f"{column} median {_text(middle)} -> {_text(median)}")
    return found


def _columns(predictor: Predictor) -> dict[str, tuple[Feature, Knots]]:
    features, applicability = predictor.matrix.features, predictor.applicability
    pairs = zip(applicability.positions, applicability.knots, strict=True)
    return {features[at].column: (features[at], knots) for at, knots in pairs}


def _quantile(knots: Knots, share: float) -> float:
    """The training value at a share of the patients, from the knots of the normal scores."""
    return float(np.interp(NormalDist().inv_cdf(share), knots.scores, knots.values))


def _text(value: float) -> str:
    return plain(float(f"{value:.3g}"))
