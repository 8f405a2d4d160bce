"""What became of a chunk: its answers, its rejects, and how many there are of each outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import CODES, OUTCOME, REASONS


@dataclass(frozen=True, eq=False)
class Scored:
    """Both tables in the order of their rows' numbers; no row is in both, none in neither."""

    answers: pa.Table
    rejects: pa.Table

    def counts(self) -> Counter[str]:
        """Rows by outcome, ``rejected`` among them.

        >>> Scored(pa.table({"outcome": ["prediction", "abstained"]}), pa.table({"row": [3]})).counts()["rejected"]
        1
        """
        found = Counter({"rejected": self.rejects.num_rows}) if self.rejects.num_rows else Counter()
        return found + _tally(self.answers[OUTCOME])

    def reasons(self) -> Counter[str]:
        """Rows by code, of cautions, of why there is no answer, of problems; a row counts under each of its own."""
        found: Counter[str] = Counter()
        for column in (self.answers[REASONS], self.rejects[CODES]):
            for codes, count in _tally(column).items():
                found.update(dict.fromkeys(codes.split(), count))
        return found


def _tally(column: pa.ChunkedArray) -> Counter[str]:
    return Counter(
        {item["values"]: item["counts"] for item in pc.value_counts(column).to_pylist() if item["values"]}
    )
