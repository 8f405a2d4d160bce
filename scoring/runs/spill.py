"""Rows of patients that are scattered over the input, brought together in files that each fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scoring.chunk import TableChunk
from scoring.results.placed import sync
from scoring.runs.cutting import require_few_of_one
from scoring.runs.identity import hashes, joined, nobody
from scoring.sources.piece import Piece, Ragged, Source

MOST_FILES = 256  # open at once
SPILL_ROWS = 131_072  # that are collected before they are shared out


@dataclass(frozen=True, slots=True)
class Spill:
    """Files of rows in a folder. A patient is in one of them; rows keep their order."""

    folder: Path
    count: int  # of files

    @staticmethod
    def files_for(rows: int, chunk_rows: int) -> int:
        """How many files so many rows are shared out to.

        >>> Spill.files_for(100_000, 16_384), Spill.files_for(10**9, 16_384)
        (7, 256)
        """
        return max(1, min(MOST_FILES, -(-rows // chunk_rows)))

    def path(self, number: int) -> Path:
        """Where a file stands."""
        return self.folder / f"spill-{number:04d}.arrow"

    def write(self, source: Source, header: str) -> Iterator[tuple[float, int, tuple[Ragged, ...]]]:
        """Share out all rows; says after each step the share that is read, how many rows, and the ragged ones."""
        with ExitStack() as open_files:
            writers: list[pa.ipc.RecordBatchFileWriter] = []
            waiting: list[Piece] = []
            for piece in source.pieces():
                waiting.append(piece)
                if sum(len(each.rows) for each in waiting) >= SPILL_ROWS:
                    self._share_out(waiting, header, writers, open_files)
                    waiting = []
                yield piece.share, len(piece.rows), piece.ragged
            self._share_out(waiting, header, writers, open_files)
        for number in range(self.count):
            if self.path(number).exists():
                sync(self.path(number))

    def chunks(self, number: int, header: str, chunk_rows: int) -> Iterator[TableChunk]:
        """The rows of a file, in chunks of whole patients.

        Raises:
            InputFault: one patient has more than 65,536 rows.
        """
        if not self.path(number).exists():
            return
        with self.path(number).open("rb") as file, pa.ipc.open_file(file) as reader:
            table = reader.read_all()
        rows = table.column(0).to_numpy()
        table = table.remove_column(0)
        keys = _keys(joined(table[header]), rows)
        order = np.argsort(keys, kind="stable")
        begins = np.flatnonzero(np.diff(keys[order], prepend=keys[order[:1]] + np.uint64(1)))
        require_few_of_one(begins, len(rows), header)
        begin = 0
        while begin < len(rows):
            later = begins[begins >= begin + chunk_rows]
            end = int(later[0]) if len(later) else len(rows)
            chosen = np.sort(order[begin:end])
            yield TableChunk(rows[chosen], table.take(pa.array(chosen)).combine_chunks())
            begin = end

    def _share_out(
        self, pieces: list[Piece], header: str, writers: list[pa.ipc.RecordBatchFileWriter], open_files: ExitStack
    ) -> None:
        pieces = [piece for piece in pieces if len(piece.rows)]
        if not pieces:
            return
        rows = np.concatenate([piece.rows for piece in pieces])
        table = pa.concat_tables([piece.table for piece in pieces])
        places = (_keys(joined(table[header]), rows) % np.uint64(self.count)).astype(np.int64)
        numbered = table.add_column(0, "", pa.array(rows))
        if not writers:
            writers += [self._writer(number, numbered.schema, open_files) for number in range(self.count)]
        order = np.argsort(places, kind="stable")
        numbered = numbered.take(pa.array(order))
        ends = np.searchsorted(places[order], np.arange(self.count + 1))
        for number, writer in enumerate(writers):
            part = numbered.slice(ends[number], ends[number + 1] - ends[number])
            if part.num_rows:
                writer.write_table(part.combine_chunks())

    def _writer(self, number: int, schema: pa.Schema, open_files: ExitStack) -> pa.ipc.RecordBatchFileWriter:
        file = open_files.enter_context(self.path(number).open("wb"))
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        return open_files.enter_context(pa.ipc.new_file(file, schema, options=options))


def _keys(identities: pa.Array, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(n,) of each patient; a row that names nobody has its own."""
    return np.where(nobody(identities), hashes(pa.array(rows)), hashes(identities))
