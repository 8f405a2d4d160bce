"""Ordinary rows understood many at a time; what is out of the ordinary is left to the parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.record import PatientRecord
from model.distribution import PredictiveDistribution
from model.predictor import Predictor
from scoring.rows.cells import Column
from scoring.rows.design import Reading, design_rows, last_readings, trends_of
from scoring.rows.records import visits_of
from scoring.rows.rules import Cases, Unlike, said_of
from scoring.rows.slopes import Trend
from scoring.rows.understood import Understood
from scoring.rows.visits import Visits, read_visits

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ordinary:
    """Visits of a chunk by patient and time, those of odd patients among them, and which of them are answered.

    Attributes:
        visits: m of them.
        readings: the last ones at each visit, by quantity.
        trends: changes per month up to each visit, by quantity.
        design: (m, p) design rows.
        rows: (k,) the visits that are index visits of ordinary rows.
        positions: (k,) where those rows stand in the chunk.
    """

    visits: Visits
    readings: Mapping[str, Reading]
    trends: Mapping[str, Trend]
    design: NDArray[np.float64]
    rows: Integers
    positions: Integers

    @classmethod
    def of_table(
        cls, predictor: Predictor, columns: Mapping[str, Column], units: Mapping[str, str], count: int, today: date
    ) -> Ordinary:
        """Each row of a table as an index visit: see `scoring.rows.visits.read_visits`."""
        visits = read_visits(columns, units, count, today, predictor.matrix.measured_as)
        rows = np.flatnonzero(~visits.odd)
        return cls._of(predictor, visits, rows, visits.patients.order[rows])

    @classmethod
    def of_records(
        cls, predictor: Predictor, records: Sequence[PatientRecord], positions: Sequence[int]
    ) -> Ordinary:
        """The last visit of each record: see `scoring.rows.records.visits_of`."""
        visits = visits_of(records, predictor.matrix.measured_as)
        last = np.append(visits.patients.starts[1:], len(visits.month)) - 1
        return cls._of(predictor, visits, last[: len(records)], np.array(positions, np.int64))

    @classmethod
    def _of(cls, predictor: Predictor, visits: Visits, rows: Integers, positions: Integers) -> Ordinary:
        readings, trends = last_readings(visits), trends_of(visits, predictor.matrix)
        design = design_rows(visits, readings, trends, predictor.matrix)
        return cls(visits, readings, trends, design, rows, positions)

    def patients_of(self, positions: Integers) -> Integers:
        """Positions in the chunk of all ordinary rows of the patients of these rows, ascending."""
        chosen = np.zeros(len(self.visits.month), np.bool_)
        chosen[self.rows[np.isin(self.positions, positions)]] = True
        return np.sort(self.positions[self.visits.patients.any(chosen)[self.rows]])

    def place(self, into: Understood) -> None:
        """Put months and design rows where their rows stand in the chunk."""
        into.month[self.positions], into.design[self.positions] = (
            self.visits.month[self.rows],
            self.design[self.rows],
        )

    def judge(
        self, predictor: Predictor, distribution: PredictiveDistribution, unlike: Unlike, into: Understood
    ) -> None:
        """Put codes where their rows stand in the chunk, given the distributions of the chunk's rows."""
        possible = np.ones(len(self.visits.month), np.bool_)
        situation = np.zeros(len(self.visits.month), np.int64)
        possible[self.rows] = distribution.possible[self.positions]
        situation[self.rows] = distribution.which[self.positions]
        cases = Cases(self.visits, self.readings, self.trends, self.design, predictor, situation, possible, unlike)
        codes, abstained = said_of(cases)
        into.codes[self.positions], into.abstained[self.positions] = codes[self.rows], abstained[self.rows]
