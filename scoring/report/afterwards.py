"""What came after the visits of the chosen patients, and what had been answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.derive import Scale, derive
from features.mapping import ColumnMapping
from features.record import PatientRecord
from features.table import patients
from scoring.report.answers import Answers
from scoring.report.chosen import Chosen
from scoring.rows.mapped import mapped_rows

Floats = NDArray[np.float64]

Outcome = Callable[[PatientRecord, int], float | None]
"""The rate after a visit of a record, in points/month; None where the record does not tell it."""


@dataclass(frozen=True, eq=False)
class Afterwards:
    """Visits that an outcome followed, in the order of the input, beside their answers.

    Attributes:
        rows: (n,) of the input.
        patient: (n,) whose each is, as a hash.
        observed: (n,) points/month.
        delta_fs: (n,) the rate so far, points/month; NaN where unknown.
        rate: (n,) predicted, points/month; NaN where there is no answer (yet).
        interval: (n, 2) predicted.
    """

    rows: NDArray[np.int64]
    patient: NDArray[np.uint64]
    observed: Floats
    delta_fs: Floats
    rate: Floats
    interval: Floats

    def take(self, answers: Answers) -> None:
        """Note the answers that are of these rows."""
        at = np.searchsorted(self.rows, answers.rows)
        at[at == len(self.rows)] = 0
        ours = self.rows[at] == answers.rows if len(self.rows) else np.zeros(len(at), np.bool_)
        self.rate[at[ours]] = answers.rate[ours]
        self.interval[at[ours]] = answers.interval[ours]

    def answered(self) -> Afterwards:
        """Those that have an answer."""
        kept = ~np.isnan(self.rate)
        return Afterwards(
            self.rows[kept],
            self.patient[kept],
            self.observed[kept],
            self.delta_fs[kept],
            self.rate[kept],
            self.interval[kept],
        )


def afterwards(chosen: Chosen, mapping: ColumnMapping, scale: Scale, outcome: Outcome, today: date) -> Afterwards:
    """The visits of chosen patients after which the input itself tells how it went on; still without answers.

    Args:
        chosen: the patients. mapping: of the input's headers, codes and units.
        scale: of the pack, for delta-FS. outcome: on the same scale.
        today: no visit may be after it; a patient with a problem has no outcome.
    """
    found: list[tuple[int, int, float, float]] = []
    for table, numbers, owners in chosen.some():
        for patient in patients(mapped_rows(table, mapping), mapping.units, today=today):
            if patient.record is None:
                continue
            for visit, at in enumerate(patient.rows):
                rate = outcome(patient.record, visit)
                if rate is not None:
                    so_far = derive(patient.record.until(visit), scale).get("delta_fs", np.nan)
                    found.append((int(numbers[at]), int(owners[at]), rate, so_far))
    found.sort()
    rows, owner, observed, so_far_of = zip(*found, strict=True) if found else ((), (), (), ())
    nothing = np.full(len(found), np.nan)
    return Afterwards(
        np.array(rows, np.int64),
        np.array(owner, np.uint64),
        np.array(observed, np.float64),
        np.array(so_far_of, np.float64),
        nothing,
        np.column_stack([nothing, nothing]),
    )
