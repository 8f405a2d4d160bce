"""A piece of the input: some of its rows, and with each of them all rows of its patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TableChunk:
    """Rows of a table as the file has them: its own headers, codes and units."""

    rows: NDArray[np.int64]  # (n,) the number of each in the input, 1 is the first data row
    table: pa.Table  # n rows


@dataclass(frozen=True, eq=False)
class RecordChunk:
    """Lines of NDJSON, each a record as a clinic system sends it over HTTP."""

    rows: NDArray[np.int64]  # (n,) the number of each in the input, 1 is the first line
    lines: Sequence[bytes]  # n


Chunk = TableChunk | RecordChunk
