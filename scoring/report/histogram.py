"""Numbers counted on a fine grid: all that is kept of a column, however long the file is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CELLS = 100  # a point/month: quantiles are told to 0.01
_ROUNDING = 1e-9  # 0.29 * 100 is a little less than 29


@dataclass(slots=True)
class Histogram:
    """How many numbers lie in each cell, 0.01 points/month wide; a cell holds its lower end."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, values: Floats) -> None:
        """Count numbers (n,); NaN is none."""
        known = values[~np.isnan(values)]
        cells, counts = np.unique(np.floor(known * CELLS + _ROUNDING).astype(np.int64), return_counts=True)
        for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
            self.counts[cell] += count

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return self.counts.total()

    def quantile(self, share: float) -> float:
        """The middle of the cell in which the number lies that this share of all do not exceed.

        >>> histogram = Histogram()
        >>> histogram.add(np.array([0.5, 0.7, 0.7, 0.9, np.nan]))
        >>> histogram.total, histogram.quantile(0.5), histogram.quantile(1.0)
        (4, 0.705, 0.905)
        """
        cells = sorted(self.counts)
        below = np.cumsum([self.counts[cell] for cell in cells])
        at = int(np.searchsorted(below, share * self.total - _ROUNDING))
        return (cells[at] + 0.5) / CELLS

    def bars(self, cells: int) -> tuple[Floats, NDArray[np.int64]]:
        """Lower ends (b,) and counts (b,) of bars so many cells wide; 0 is an end.

        >>> histogram = Histogram(Counter({49: 1, 50: 2, 54: 1, 61: 1}))
        >>> [part.tolist() for part in histogram.bars(5)]
        [[0.45, 0.5, 0.55, 0.6], [1, 3, 0, 1]]
        """
        found: Counter[int] = Counter()
        for cell, count in self.counts.items():
            found[cell // cells] += count
        first, last = min(found), max(found)
        places = np.arange(first, last + 1)
        return places * cells / CELLS, np.array([found[place] for place in places.tolist()], np.int64)
