"""A piece of the input, as large as its reader makes it; patients may be cut by its ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.headers import Headers
from features.problem import Problem


@dataclass(frozen=True, slots=True)
class Ragged:
    """A row of a CSV file with more or fewer fields than the header: a reject by itself."""

    row: int
    fields: int
    headers: int
    lines: int  # more than 1 where a quotation mark holds them together

    @property
    def problem(self) -> Problem:
        """What is told of it.

        >>> print(Ragged(7, 5, 4, 1).problem)
        row 7 has 5 fields, the header 4; put a text with a comma in quotation marks, and a point into numbers
        """
        rule = f"has {self.fields} fields, the header {self.headers}"
        remedy = "put a text with a comma in quotation marks, and a point into numbers"
        if self.lines > 1:
            rule += f", and goes over {self.lines} lines"
            remedy = "look for a quotation mark that is not closed"
        return Problem("ragged_row", f"row {self.row}", None, rule, remedy)


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows in the order of the input."""

    rows: NDArray[np.int64]  # (n,) the number of each, 1 is the first data row
    table: pa.Table | None  # n rows; None where the input is of records
    ragged: tuple[Ragged, ...]  # those before the next row that no piece before had
    share: float  # of the input that is read with it, 0 to 1
    lines: Sequence[bytes] = ()  # n records, where there is no table


class Source(Protocol):
    """An input, opened and known to be of the right shape."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files, in the order they are read."""
        ...

    @property
    def patient_type(self) -> pa.DataType:
        """The type of the patients' identifiers."""
        ...

    @property
    def patient_header(self) -> str | None:
        """The header of the patients' identifiers; None where each row is a patient."""
        ...

    @property
    def every_header(self) -> Headers | None:
        """What becomes of the headers of a table; None where the input is of records."""
        ...

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        """The rows, again from the first at each call; of one column alone where that is asked for.

        Raises:
            InputFault: they cannot be read to the end.
        """
        ...
