"""Whose each row of a chunk is: rows in the order of patient and time, and what can be said of a patient's rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patients:
    """n rows in their new order; those of a patient follow each other, the earliest first.

    >>> found = Patients.of(np.array([0, 1, 0]), np.array([9.0, 4.0, 3.0]))
    >>> found.order.tolist(), found.starts.tolist(), found.latest(np.array([True, False, True])).tolist()
    ([2, 0, 1], [0, 2], [0, 0, 2])
    """

    order: Integers  # (n,) the position in the chunk of each row
    starts: Integers  # (k,) of each patient's first row, in the new order
    alone: bool  # whether every patient has one row

    @classmethod
    def of(cls, who: Integers, clock: Floats) -> Patients:
        """From the patient of each row (n,), numbered in any way, and its time (n,); equal times stay in order."""
        if len(np.unique(who)) == len(who):
            everyone = np.arange(len(who))
            return cls(everyone, everyone, alone=True)
        order = np.lexsort((clock, who))
        ordered = who[order]
        return cls(order, np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])), alone=False)

    @cached_property
    def sizes(self) -> Integers:
        """(k,) rows of each patient."""
        return np.diff(np.append(self.starts, len(self.order)))

    @cached_property
    def first(self) -> Integers:
        """(n,) the first row of each row's patient."""
        return np.repeat(self.starts, self.sizes)

    @cached_property
    def last(self) -> Integers:
        """(n,) the last row of each row's patient."""
        return np.repeat(self.starts + self.sizes - 1, self.sizes)

    def any(self, mask: Mask) -> Mask:
        """(n,) whether it holds for any row of the patient."""
        if self.alone or not mask.any():
            return mask
        return np.repeat(np.logical_or.reduceat(mask, self.starts), self.sizes)

    def so_far(self, mask: Mask) -> Mask:
        """(n,) whether it holds for the row or an earlier one of the patient."""
        return mask if self.alone else self.latest(mask) >= 0

    def latest(self, there: Mask) -> Integers:
        """(n,) the latest row up to this one, of the same patient, where it holds; -1 if there is none."""
        own = np.where(there, np.arange(len(there)), -1)
        if self.alone:
            return own
        found = np.maximum.accumulate(own)
        return np.where(found >= self.first, found, -1)

    def constant(self, values: Floats) -> tuple[Floats, Mask]:
        """The one value of each patient (n,), NaN if there is none, and where rows of a patient differ (n,)."""
        if self.alone:
            return values, np.zeros(len(values), np.bool_)
        lowest, highest = (of.reduceat(values, self.starts) for of in (np.fmin, np.fmax))
        return np.repeat(lowest, self.sizes), np.repeat(lowest < highest, self.sizes)

    def earliest(self, there: Mask) -> Integers:
        """(n,) the earliest row of the patient where it holds; -1 if there is none."""
        own = np.where(there, np.arange(len(there)), len(there))
        if self.alone:
            return np.where(there, own, -1)
        found = np.repeat(np.minimum.reduceat(own, self.starts), self.sizes)
        return np.where(found < len(there), found, -1)
