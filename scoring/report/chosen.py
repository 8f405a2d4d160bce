"""Some patients of an input with all their rows, chosen by a hash of their identifier: the same anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scoring.runs.identity import Hashes, hashes, joined, nobody
from scoring.sources.piece import Source

MOST_PATIENTS, MOST_ROWS = 10_000, 200_000
AT_A_TIME = 500  # patients whose rows are taken out together
_ALL = 2.0**64  # hashes there can be


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows of the chosen patients.

    Attributes:
        table: (n rows) as the input has them, the rows of a patient together and in their order.
        rows: (n,) the number of each in the input.
        patient: (n,) the hash of whose each is.
        patients: how many are in the input, if ``all_of_them``; else estimated from the hashes.
        all_of_them: whether every patient was chosen.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    patient: Hashes
    patients: int
    all_of_them: bool

    def some(self) -> Iterator[tuple[pa.Table, NDArray[np.int64], Hashes]]:
        """The table, rows and patients of whole patients, so many at a time."""
        begins = np.flatnonzero(np.diff(self.patient, prepend=self.patient[:1] + np.uint64(1)))
        ends = [*begins[::AT_A_TIME].tolist(), len(self.rows)]
        for begin, end in pairwise(ends):
            yield self.table.slice(begin, end - begin), self.rows[begin:end], self.patient[begin:end]


def chosen(source: Source, most_patients: int = MOST_PATIENTS, most_rows: int = MOST_ROWS) -> Chosen | None:
    """The patients with the smallest hashes; None where no row names a patient.

    Args:
        source: the input, which is read twice, first its identifiers alone.
        most_patients: that are taken.
        most_rows: fewer patients are taken where they would have more rows than this, by their mean.

    Raises:
        InputFault: the input cannot be read.
    """
    header = source.patient_header
    if header is None:
        return None
    smallest, rows = np.empty(0, np.uint64), 0
    for piece in source.pieces(header):
        if piece.table is None or not len(piece.rows):
            continue
        identities = joined(piece.table[header])
        keys = hashes(identities)[~nobody(identities)]
        rows += len(keys)
        smallest = np.unique(np.concatenate([smallest, keys]))[: most_patients + 1]
    if not len(smallest):
        return None
    patients, all_of_them = _count(smallest, most_patients)
    fitting = max(1, int(most_rows * patients / rows))
    return _taken(source, header, smallest[: min(most_patients, fitting)], patients, all_of_them)


def _count(smallest: Hashes, most: int) -> tuple[int, bool]:
    """How many patients there are: all are known, or so many that the last of these hashes is this small."""
    if len(smallest) <= most:
        return len(smallest), True
    return round(most * _ALL / float(smallest[most])), False


def _taken(source: Source, header: str, keys: Hashes, patients: int, all_of_them: bool) -> Chosen:
    tables, rows, owners = [], [], []
    for piece in source.pieces():
        if piece.table is None or not len(piece.rows):
            continue
        identities = joined(piece.table[header])
        found = hashes(identities)
        kept = np.isin(found, keys) & ~nobody(identities)
        tables.append(piece.table.filter(pa.array(kept)))
        rows.append(piece.rows[kept])
        owners.append(found[kept])
    owner, numbers = np.concatenate(owners), np.concatenate(rows)
    order = np.argsort(owner, kind="stable")
    table = pa.concat_tables(tables).take(pa.array(order))
    return Chosen(table, numbers[order], owner[order], patients, all_of_them and len(keys) == patients)
