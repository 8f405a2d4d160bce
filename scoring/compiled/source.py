"""What compiled sources have in common with the plain ones that they answer for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.fitted import GridSource
from model.tables import Rows

Plain = TypeVar("Plain", bound=GridSource)


@dataclass(frozen=True, eq=False)
class CompiledSource(Generic[Plain]):
    """The same integers for every row as ``plain``, which a pack stores in its place. Safe under threads."""

    plain: Plain

    @property
    def kind(self) -> str:
        """What a pack calls it."""
        return self.plain.kind

    @property
    def n_features(self) -> int:
        """The width of a row."""
        return self.plain.n_features

    @property
    def unit(self) -> float:
        """The size of one grid unit, a power of two."""
        return self.plain.unit

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What a pack stores."""
        return self.plain.to_arrays()

    def _checked(self, rows: Rows) -> NDArray[np.float64]:
        """The rows (n, p) as kernels take them: C-contiguous, in doubles.

        Raises:
            ValueError: rows of another width.
        """
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(f"rows have shape {rows.shape}; expected (n, {self.n_features})")
        return np.ascontiguousarray(rows, np.float64)
