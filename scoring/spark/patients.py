"""Batches as Spark hands them over, cut into chunks of whole patients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CHUNK_ROWS = 8192


def whole_patients(batches: Iterable[pa.RecordBatch], key: str, least: int = CHUNK_ROWS) -> Iterator[pa.Table]:
    """The rows again, in tables of about so many that end where a patient ends.

    Args:
        batches: rows of a patient one after the other.
        key: the column that is the same for all rows of a patient and for no other; no nulls.
        least: rows that are held before a table is cut; the last patient's stay for the next.

    >>> rows = pa.table({"who": ["a", "a", "b", "b", "b", "c"]}).to_batches(max_chunksize=2)
    >>> [table["who"].to_pylist() for table in whole_patients(rows, "who", least=3)]
    [['a', 'a'], ['b', 'b', 'b'], ['c']]
    """
    kept: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        kept.append(batch)
        held += batch.num_rows
        if held < least:
            continue
        tail = _last_patient(batch, key)
        begins = batch.num_rows - tail
        if not begins and (len(kept) == 1 or kept[-2][key][-1] == batch[key][0]):
            continue  # one patient fills the batch and began before it, or may
        yield pa.Table.from_batches([*kept[:-1], batch.slice(0, begins)])
        kept, held = [batch.slice(begins)], tail
    if kept:
        yield pa.Table.from_batches(kept)


def _last_patient(batch: pa.RecordBatch, key: str) -> int:
    """How many rows at the end are of one patient."""
    column = batch[key]
    same = np.asarray(pc.equal(column, column[-1]).to_numpy(zero_copy_only=False))[::-1]
    return len(same) if same.all() else int(np.argmin(same))
