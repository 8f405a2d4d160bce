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
    Reason,
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
        return self.predict_many((record,))[0]

    def predict_many(self, records: Sequence[PatientRecord]) -> list[Answer]:
        """The answers for records, in order; each is what `predict` gives for that record alone, to the last bit.

        What the model computes is computed for all at once, at a third of the cost of one after the other. Memory
        grows with their number.
        """
        if not records:
            return []
        readings = [readings_of(record, self.matrix.measured_as) for record in records]
        derived = [
            derive_from(found, record, self.matrix.scale) for found, record in zip(readings, records, strict=True)
        ]
        rows = np.array([self.matrix.order(each) for each in derived])
        distribution, shares = self.fitted.explained(rows)
        which, possible = distribution.which.tolist(), distribution.possible.tolist()
        cases = [
            Case(record, found, each, row, self.matrix, self.importance[situation], self.applicability, room)
            for record, found, each, row, situation, room in zip(
                records, readings, derived, rows, which, possible, strict=True
            )
        ]
        reasons = [abstentions(case) for case in cases]
        if all(reasons):
            return [self._abstention(case, why) for case, why in zip(cases, reasons, strict=True)]
        numbers = _Numbers.of(distribution, shares)
        return [
            self._abstention(case, why) if why else self._prediction(case, numbers, at)
            for at, (case, why) in enumerate(zip(cases, reasons, strict=True))
        ]

    def _abstention(self, case: Case, reasons: tuple[Reason, ...]) -> Abstention:
        return Abstention(reasons, self.pack, self.statement, case.record.reference)

    def _prediction(self, case: Case, numbers: _Numbers, at: int) -> Prediction:
        """The answer of the record at this position."""
        rate, quantiles, probabilities = numbers.rates[at], numbers.quantiles[at], numbers.probabilities[at]
        if not math.isfinite(math.fsum((rate, *quantiles, *probabilities))):
            raise ArithmeticError("the model gave a number that is not finite")
        return Prediction(
            progression_rate=rate,
            unit=self.unit,
            prediction_interval=PredictionInterval(quantiles[0], quantiles[-1], COVERAGE),
            quantiles=tuple(zip(QUANTILES, quantiles, strict=True)),
            band_probabilities=tuple(zip(BANDS, probabilities, strict=True)),
            base_value=float(numbers.shares[at, -1]),
            contributions=_contributions(self.matrix, case.row, numbers.shares[at]),
            cautions=cautions(case),
            pack=self.pack,
            statement=self.statement,
            reference=case.record.reference,
        )


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the model says of n records, in points/month."""

    rates: list[float]  # (n,)
    quantiles: list[list[float]]  # (n, 5) at `QUANTILES`
    probabilities: list[list[float]]  # (n, 3) of `BANDS`
    shares: NDArray[np.float64]  # (n, p + 1) contributions and base value

    @classmethod
    def of(cls, distribution: PredictiveDistribution, shares: NDArray[np.float64]) -> _Numbers:
        """From distributions and contributions."""
        quantiles, probabilities = distribution.quantiles(QUANTILES), distribution.band_probabilities()
        return cls(distribution.location.tolist(), quantiles.tolist(), probabilities.tolist(), shares)


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
