"""Ordinary rows understood many at a time; what is out of the ordinary is left to the parser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from model.distribution import PredictiveDistribution
from model.predictor import Predictor
from scoring.cells import Column
from scoring.design import Reading, design_rows, last_readings
from scoring.rules import Cases, Unlike, said_of
from scoring.understood import Understood
from scoring.visits import Visits, read_visits


@dataclass(frozen=True, eq=False)
class Ordinary:
    """The rows of a chunk, those that are odd among them; rows by patient and time."""

    visits: Visits
    readings: Mapping[str, Reading]
    design: NDArray[np.float64]  # (n, p)

    @classmethod
    def read(
        cls, predictor: Predictor, columns: Mapping[str, Column], units: Mapping[str, str], count: int, today: date
    ) -> Ordinary:
        """See `scoring.visits.read_visits`."""
        visits = read_visits(columns, units, count, today)
        readings = last_readings(visits)
        return cls(visits, readings, design_rows(visits, readings, predictor.matrix))

    @property
    def odd(self) -> NDArray[np.int64]:
        """Positions in the chunk of the rows that the parser must read, ascending."""
        return np.sort(self.visits.patients.order[self.visits.odd])

    def patients_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in the chunk of all rows of the patients of these rows, ascending."""
        chosen = np.zeros(len(self.visits.month), np.bool_)
        chosen[positions] = True
        there = self.visits.patients.order
        return np.sort(there[self.visits.patients.any(chosen[there])])

    def place(self, into: Understood) -> None:
        """Put months and design rows where their rows stand in the chunk; odd rows are left."""
        plain = ~self.visits.odd
        there = self.visits.patients.order[plain]
        into.month[there], into.design[there] = self.visits.month[plain], self.design[plain]

    def judge(
        self, predictor: Predictor, distribution: PredictiveDistribution, unlike: Unlike, into: Understood
    ) -> None:
        """Put codes where their rows stand in the chunk, given the distributions of its rows; odd rows are left."""
        there = self.visits.patients.order
        possible, situation = distribution.possible[there], distribution.which[there]
        cases = Cases(self.visits, self.readings, self.design, predictor, situation, possible, unlike)
        codes, abstained = said_of(cases)
        plain = ~self.visits.odd
        into.codes[there[plain]], into.abstained[there[plain]] = codes[plain], abstained[plain]
