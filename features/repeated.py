"""A column with the same cell in every row, without a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True, slots=True)
class Repeated(Sequence[object]):
    """One cell in every row of a column.

    >>> list(Repeated("cd4", 2)), len(Repeated("cd4", 5)[1:])
    (['cd4', 'cd4'], 4)
    """

    cell: str
    rows: int

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, at: int) -> object: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[object]: ...

    def __getitem__(self, at: int | slice) -> object:
        places = range(self.rows)[at]
        return Repeated(self.cell, len(places)) if isinstance(places, range) else self.cell
