"""All parts as one stream, in the order of the input's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from scoring.columns import ROW
from scoring.runs.parts import Parts


def in_order(parts: Parts, numbers: Iterable[int], kind: str, *, interleaved: bool) -> Iterator[pa.RecordBatch]:
    """The rows of all parts.

    Args:
        parts: each in the order of its rows.
        numbers: of the finished ones in their order; each is read when it is named.
        kind: answers or rejects.
        interleaved: whether rows of one part stand between those of another; else each begins after the one before,
            and is read before the next is named.
    """
    if not interleaved:
        for number in numbers:
            yield from parts.read(number, kind)
        return
    streams = [_Stream(parts.read(number, kind)) for number in numbers]
    while streams := [stream for stream in streams if stream.fill()]:
        upto = min(stream.last for stream in streams)  # all rows up to here are in what is held
        taken = pa.Table.from_batches([batch for stream in streams for batch in stream.take(upto)])
        rows = taken[ROW].to_numpy()
        yield from taken.take(pa.array(np.argsort(rows, kind="stable"))).combine_chunks().to_batches()


class _Stream:
    """One part, of which a batch or two are held: so much that each step of the merge takes a batch of each."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._held: list[pa.RecordBatch] = []

    @property
    def last(self) -> int:
        """The number of the last row that is held."""
        row: int = self._held[-1][ROW][-1].as_py()
        return row

    def fill(self) -> bool:
        """Read on if only the rest of a batch is held; whether anything is."""
        if len(self._held) < 2:
            self._held += [batch for batch in [next(self._batches, None)] if batch is not None]
        return bool(self._held)

    def take(self, upto: int) -> list[pa.RecordBatch]:
        """Take away the held rows up to this number."""
        taken, rest = [], []
        for batch in self._held:
            end = int(np.searchsorted(batch[ROW].to_numpy(), upto, side="right"))
            taken += [batch.slice(0, end)] * bool(end)
            rest += [batch.slice(end)] * (end < batch.num_rows)
        self._held = rest
        return taken
