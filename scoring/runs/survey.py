"""A first, cheap look at the identifiers alone: whether the rows of each patient stand together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.runs.identity import Hashes, hashes, joined, nobody, starts
from scoring.sources.piece import Source

MOST_RUNS = 20_000_000  # of equal identifiers that are remembered: 160 MB


@dataclass(frozen=True, slots=True)
class Survey:
    """Whether every patient's rows follow each other, and how many rows there are where that was counted."""

    together: bool
    rows: int | None


def survey(source: Source, most_runs: int = MOST_RUNS) -> Survey:
    """Look at the identifiers of an input.

    Each run of equal identifiers is kept as a hash; if none comes twice, no patient does. Beyond ``most_runs`` the
    answer is that they do not stand together, which is safe.
    """
    header = source.patient_header
    if header is None:
        return Survey(True, None)
    runs: list[Hashes] = []
    count = rows = 0
    last: object = None
    for piece in source.pieces(header):
        rows += len(piece.rows) + len(piece.ragged)
        if piece.table is None or not len(piece.rows) or count > most_runs:
            continue
        identities = joined(piece.table[header])
        begins = starts(identities) & ~nobody(identities)
        if begins[0] and last is not None and identities[0].as_py() == last:
            begins[0] = False
        last = None if nobody(identities[-1:])[0] else identities[-1].as_py()
        runs.append(hashes(identities.filter(begins)))
        count += len(runs[-1])
    if count > most_runs:
        return Survey(False, rows)
    every = np.concatenate([np.empty(0, np.uint64), *runs])
    every.sort()
    return Survey(not bool((every[1:] == every[:-1]).any()), rows)
