"""Records in, answers out: the whole of what a pack does, without a word of files or of HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.derive import derive
from features.feature import Feature
from features.matrix import DesignMatrix
from features.record import PatientRecord
from features.units import plain
from model.answer import (
    Abstention,
    Answer,
    Contribution,
    PackRef,
    Prediction,
    PredictionInterval,
)
from model.applicability import Applicability
from model.cautions import Case, abstentions, cautions
from model.distribution import FAST_ABOVE, SLOW_BELOW, PredictiveDistribution
from model.fitted import FittedModel

COVERAGE = 0.9
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BANDS = ("slow", "intermediate", "fast")  # Vacchiano 2021, 10.3389/fnagi.2021.753242
BAND_LIMITS = (f"< {SLOW_BELOW}", f"{SLOW_BELOW}-{FAST_ABOVE}", f"> {FAST_ABOVE}")  # points/month
SCALE_NAMES = {"alsfrs_r_total": "ALSFRS-R (0-48)", "alsfrs_total": "ALSFRS (0-40)"}


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted, calibrated model with all it needs to answer a record."""

    matrix: DesignMatrix
    fitted: FittedModel
    applicability: Applicability
    importance: tuple[tuple[float, ...], ...]  # (p,) share of all contributions in training, by situation
    statement: str
    pack: PackRef

    @property
    def unit(self) -> str:
        """What the rate is counted in."""
        return f"{SCALE_NAMES[self.matrix.scale]} points/month"

    def predict(self, record: PatientRecord) -> Answer:
        """The answer for one record at its index visit (its last one)."""
        derived = derive(record, self.matrix.scale)
        row = self.matrix.order(derived)
        rows = row[None, :]
        distribution = self.fitted.distribution(rows)
        importance = self.importance[int(self.fitted.situation_of(rows)[0])]
        possible = bool(distribution.possible[0])
        case = Case(record, derived, row, self.matrix, importance, self.applicability, possible)
        reasons = abstentions(case)
        if reasons:
            return Abstention(reasons, self.pack, self.statement, record.reference)
        return self._numbers(case, distribution)

    def predict_many(self, records: Sequence[PatientRecord]) -> list[Answer]:
        """The answers for records, in order; each is what `predict` gives for that record alone."""
        return [self.predict(record) for record in records]

    def _numbers(self, case: Case, distribution: PredictiveDistribution) -> Prediction:
        shares = self.fitted.contributions(case.row[None, :])[0]
        lower, upper = distribution.interval(COVERAGE)[0]
        probabilities = distribution.band_probabilities()[0]
        return Prediction(
            progression_rate=float(distribution.location[0]),
            unit=self.unit,
            prediction_interval=PredictionInterval(float(lower), float(upper), COVERAGE),
            quantiles=tuple((q, float(distribution.quantile(q)[0])) for q in QUANTILES),
            band_probabilities=tuple(zip(BANDS, map(float, probabilities), strict=True)),
            base_value=float(shares[-1]),
            contributions=_contributions(self.matrix.features, case.row, shares),
            cautions=cautions(case),
            pack=self.pack,
            statement=self.statement,
            reference=case.record.reference,
        )


def _contributions(
    features: tuple[Feature, ...], row: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[Contribution, ...]:
    found = [
        Contribution(
            feature.column,
            feature.label,
            None if np.isnan(value) else float(value),
            feature.unit,
            float(share),
            _words(feature, float(value), float(share)),
        )
        for feature, value, share in zip(features, row, shares[:-1], strict=True)
        if share != 0.0
    ]
    return tuple(sorted(found, key=lambda item: (-abs(item.points_per_month), item.feature)))


def _words(feature: Feature, value: float, share: float) -> str:
    effect = f"{abs(share):.2f} points/month {'faster' if share > 0 else 'slower'}"
    if np.isnan(value):
        return f"{feature.label} not measured: {effect}"
    if feature.kind == "category":
        return f"{feature.label}, {'yes' if value == 1.0 else 'no'}: {effect}"
    return f"{feature.label} {plain(float(f'{value:.4g}'))} {_unit_words(feature)}".rstrip() + f": {effect}"


def _unit_words(feature: Feature) -> str:
    if feature.kind != "change":
        return UNIT_WORDS.get(feature.unit, feature.unit)
    unit = feature.unit.removeprefix("(").removesuffix(")/mo")
    return f"{UNIT_WORDS.get(unit, unit) or 'units'}/month"


UNIT_WORDS = {
    "{score}": "points",
    "{score}/mo": "points/month",
    "1": "",
    "a": "years",
    "mo": "months",
}
