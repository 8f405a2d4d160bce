"""What a registered version says of a cohort, honestly: never of a visit that it was fitted on.

An example that its run forecast out of fold keeps that forecast. A patient whom it never saw is answered by the
pack. A patient it saw, at a visit it did not forecast, is left out: the pack knows that patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.pack import Pack
from model.predictor import COVERAGE
from training.cohort import Cohort, CohortError
from training.metrics import Forecasts
from training.promotion.contender import contender
from training.promotion.kept_forecasts import KeptForecasts, example_key, patient_key
from training.registry import Version

WAYS = ("out of fold", "never seen", "left out")
OUT_OF_FOLD, NEVER_SEEN, LEFT_OUT = range(3)


@dataclass(frozen=True, slots=True)
class HonestForecasts:
    """Forecasts of n examples, NaN where there is none, and how each came about: a position in `WAYS`, (n,)."""

    forecasts: Forecasts
    way: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which examples have a forecast, (n,)."""
        return np.asarray(self.way != LEFT_OUT)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many examples each way."""
        return {name: int((self.way == position).sum()) for position, name in enumerate(WAYS)}


def forecasts_by(version: Version, cohort: Cohort, uri: str | None = None) -> HonestForecasts:
    """The honest forecasts of a registered version for the examples of a cohort, in their order.

    Raises:
        RegistryError: the version, its pack or what its run kept is not in the registry. Refused: the pack does not
            verify. CohortError: the version's outcome is counted on another scale than the cohort's.
    """
    found = contender(version, uri)
    return honest_forecasts(found.pack, found.kept, cohort)


def honest_forecasts(pack: Pack, kept: KeptForecasts, cohort: Cohort) -> HonestForecasts:
    """The same from a verified pack and what its run kept.

    Raises:
        CohortError: the pack's outcome is counted on another scale than the cohort's.
    """
    predictor = pack.predictor
    if predictor.matrix.scale != cohort.scale:
        raise CohortError(
            f"{cohort.name}: scale = {cohort.scale}, but pack {pack.id[:12]} counts its outcome in "
            f"{predictor.matrix.scale}; rates on two scales cannot be compared, give a cohort with that scale"
        )
    table = np.full((len(cohort.examples), 3), np.nan)
    way = np.full(len(cohort.examples), LEFT_OUT)
    for position, example in enumerate(cohort.examples):
        found = kept.by_example.get(example_key(example, cohort.scale))
        if found is not None:
            table[position], way[position] = found, OUT_OF_FOLD
        elif patient_key(example.patient_id) not in kept.patients:
            way[position] = NEVER_SEEN
    unseen = np.flatnonzero(way == NEVER_SEEN)
    if len(unseen):
        rows = predictor.matrix.rows(cohort.examples[position].record for position in unseen)
        distribution = predictor.fitted.distribution(rows)
        table[unseen] = np.column_stack([distribution.location, distribution.interval(COVERAGE)])
    return HonestForecasts(Forecasts(table[:, 0], table[:, 1:], COVERAGE), way)
