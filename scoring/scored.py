"""What became of a chunk: its answers and its rejects."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Scored:
    """Both tables in the order of their rows' numbers; no row is in both, none in neither."""

    answers: pa.Table
    rejects: pa.Table
