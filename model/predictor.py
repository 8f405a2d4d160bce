"""Records in, answers out: the whole of what a pack does, without a word of files or of HTTP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.derive import derive_from, readings_of
from features.matrix import DesignMatrix
from features.record import PatientRecord
from model.answer import (
    Abstention,
    Answer,
    PackRef,
    Prediction,
    PredictionInterval,
)
from model.applicability import Applicability
from model.cautions import Case, abstentions, cautions
from model.contribution import Contribution
from model.distribution import FAST_ABOVE, SLOW_BELOW, PredictiveDistribution
from model.fitted import FittedModel

COVERAGE = 0.9
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # the outer ones are the ends of the interval
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
        readings = readings_of(record, self.matrix.measured_as)
        derived = derive_from(readings, record, self.matrix.scale)
        row = self.matrix.order(derived)
        rows = row[None, :]
        distribution, shares = self.fitted.explained(rows)
        importance = self.importance[int(distribution.which[0])]
        possible = bool(distribution.possible[0])
        case = Case(record, readings, derived, row, self.matrix, importance, self.applicability, possible)
        reasons = abstentions(case)
        if reasons:
            return Abstention(reasons, self.pack, self.statement, record.reference)
        return self._numbers(case, distribution, shares[0])

    def predict_many(self, records: Sequence[PatientRecord]) -> list[Answer]:
        """The answers for records, in order; each is what `predict` gives for that record alone."""
        return [self.predict(record) for record in records]

    def _numbers(self, case: Case, distribution: PredictiveDistribution, shares: NDArray[np.float64]) -> Prediction:
        quantiles = distribution.quantiles(QUANTILES)[0].tolist()
        probabilities = distribution.band_probabilities()[0].tolist()
        rate = float(distribution.location[0])
        if not math.isfinite(math.fsum((rate, *quantiles, *probabilities))):
            raise ArithmeticError("the model gave a number that is not finite")
        return Prediction(
            progression_rate=rate,
            unit=self.unit,
            prediction_interval=PredictionInterval(quantiles[0], quantiles[-1], COVERAGE),
            quantiles=tuple(zip(QUANTILES, quantiles, strict=True)),
            band_probabilities=tuple(zip(BANDS, probabilities, strict=True)),
            base_value=float(shares[-1]),
            contributions=_contributions(self.matrix, case.row, shares),
            cautions=cautions(case),
            pack=self.pack,
            statement=self.statement,
            reference=case.record.reference,
        )


def _contributions(
    matrix: DesignMatrix, row: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[Contribution, ...]:
    """Those that are not 0, the largest first; features that share a size by name."""
    features, values, each = matrix.features, row.tolist(), shares[:-1].tolist()
    order = np.lexsort((matrix.alphabetical, -np.abs(shares[:-1]))).tolist()
    return tuple(
        Contribution(features[at], None if values[at] != values[at] else values[at], each[at])  # NaN: not measured
        for at in order
        if each[at] != 0.0
    )
