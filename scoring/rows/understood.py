"""What is to be said of the rows of a chunk, apart from numbers: whether each is answered, and with what codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.problem import Problem
from features.record import PatientRecord
from model.answer import Abstention
from model.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Understood:
    """Of n rows, filled one by one or many at a time. A row with problems is rejected."""

    month: NDArray[np.float64]  # (n,) of the index visit, since onset
    design: NDArray[np.float64]  # (n, p) design rows
    codes: NDArray[np.object_]  # (n,) of cautions or, where it is abstained, of reasons; separated by spaces
    abstained: NDArray[np.bool_]  # (n,)
    problems: list[tuple[Problem, ...]]  # n; empty where the row is a valid record

    @classmethod
    def nothing_yet(cls, count: int, features: int) -> Understood:
        """Of so many rows and features, to be filled."""
        return cls(
            np.full(count, np.nan),
            np.full((count, features), np.nan),
            np.full(count, "", np.object_),
            np.zeros(count, np.bool_),
            [()] * count,
        )

    def of_record(self, at: int, record: PatientRecord, predictor: Predictor) -> None:
        """Fill the row at this position by what a single record is told."""
        answer = predictor.predict(record)
        said = answer.reasons if isinstance(answer, Abstention) else answer.cautions
        self.month[at] = record.index_visit.month
        self.design[at] = predictor.matrix.row(record)
        self.codes[at] = " ".join(dict.fromkeys(each.code for each in said))
        self.abstained[at] = isinstance(answer, Abstention)

    def rejected(self) -> NDArray[np.bool_]:
        """Which rows are, (n,)."""
        return np.array([bool(problems) for problems in self.problems], np.bool_)
