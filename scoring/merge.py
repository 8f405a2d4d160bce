"""All parts as one stream, in the order of the input's rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from scoring.columns import ROW
from scoring.parts import Parts


def in_order(parts: Parts, count: int, kind: str, *, interleaved: bool) -> Iterator[pa.RecordBatch]:
    """The rows of all parts.

    Args:
        parts: each in the order of its rows.
        count: how many there are.
        kind: answers or rejects.
        interleaved: whether rows of one part stand between those of another; else each begins after the one before.
    """
    if not interleaved:
        for number in range(count):
            yield from parts.read(number, kind)
        return
    streams = [stream for number in range(count) if (stream := _Stream(parts.read(number, kind))).batch is not None]
    while streams:
        upto = min(stream.last for stream in streams)  # all rows up to here are in what is held
        taken = pa.Table.from_batches([batch for stream in streams for batch in stream.take(upto)])
        rows = taken[ROW].to_numpy()
        yield from taken.take(pa.array(np.argsort(rows, kind="stable"))).combine_chunks().to_batches()
        streams = [stream for stream in streams if stream.batch is not None]


class _Stream:
    """One part, of which a batch is held."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.batch: pa.RecordBatch | None = None
        self.last = 0
        self._next()

    def take(self, upto: int) -> list[pa.RecordBatch]:
        """Take away the held rows up to this number, which is not beyond `last`."""
        if self.batch is None:
            return []
        end = int(np.searchsorted(self.batch[ROW].to_numpy(), upto, side="right"))
        taken = self.batch.slice(0, end)
        if end == self.batch.num_rows:
            self._next()
        else:
            self.batch = self.batch.slice(end)
        return [taken] if end else []

    def _next(self) -> None:
        self.batch = next((batch for batch in self._batches if batch.num_rows), None)
        self.last = 0 if self.batch is None else self.batch[ROW][-1].as_py()
