"""Lines of text files with their numbers, as a task reads them block by block."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.strict_csv import UTF_16_MARKS
from features.table_file import named_by_bytes
from scoring.spark.columns import LINE, PATH, ROW_NUMBER, START
from scoring.spark.numbering import Place
from scoring.spark.stopped import Stopped

Places = Mapping[tuple[str, int], Place]


def numbered_lines(batches: Iterable[pa.RecordBatch], found: Places) -> Iterator[pa.RecordBatch]:
    """The lines with their numbers, 1 for the first of all; a file's header has number 0.

    Args:
        batches: path and first byte of the block, and the line, in the order of the blocks' lines.
        found: the place of each block.

    Raises:
        Stopped: a block that was not there when rows were counted: a file changed.

    >>> lines = pa.record_batch({PATH: ["a", "a", "b"], START: [0, 0, 0], LINE: [b"id", b"1", b"2"]})
    >>> [batch] = numbered_lines([lines], {("a", 0): Place(0, True), ("b", 0): Place(1, False)})
    >>> batch[ROW_NUMBER].to_pylist()
    [0, 1, 2]
    """
    block, seen = None, 0
    for batch in batches:
        rows = np.empty(batch.num_rows, np.int64)
        bounds = [*_changes(batch), batch.num_rows]
        for begins, ends in pairwise(bounds):
            here = (batch[PATH][begins].as_py(), batch[START][begins].as_py())
            seen = seen if here == block else 0
            block = here
            rows[begins:ends] = _numbers(here, found, seen, ends - begins)
            seen += ends - begins
        yield pa.record_batch({ROW_NUMBER: rows, LINE: batch[LINE]})


def without_mark(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Numbered lines, without the mark of byte order that some editors write before a file's first line.

    >>> [batch] = without_mark([pa.record_batch({ROW_NUMBER: [7], LINE: [b"\\xef\\xbb\\xbf{}"]})])
    >>> batch[LINE].to_pylist()
    [b'{}']
    """
    for batch in batches:
        lines = [line.removeprefix(codecs.BOM_UTF8) for line in batch[LINE].to_pylist()]
        if any(line.startswith(UTF_16_MARKS) for line in lines):
            raise Stopped("it is UTF-16 text; save it as UTF-8")
        what = named_by_bytes(lines[0]) if lines else None
        if what is not None:
            raise Stopped(f"its first bytes are those of {what}, not of NDJSON; name it by what it is")
        yield pa.record_batch({ROW_NUMBER: batch[ROW_NUMBER], LINE: pa.array(lines, pa.binary())})


def _changes(batch: pa.RecordBatch) -> list[int]:
    """Where a block begins, the first row among them."""
    if not batch.num_rows:
        return []
    changed = np.zeros(batch.num_rows, np.bool_)
    changed[0] = True
    for name in (PATH, START):
        column = batch[name]
        changed[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    found: list[int] = np.flatnonzero(changed).tolist()
    return found


def _numbers(block: tuple[str, int], found: Places, seen: int, count: int) -> NDArray[np.int64]:
    place = found.get(block)
    if place is None:
        raise Stopped(f"{block[0]} changed while it was read; run again when it is complete")
    numbers = np.arange(count, dtype=np.int64) + place.before + seen + (not place.headed)
    if place.headed and seen == 0:
        numbers[0] = 0
    return numbers
