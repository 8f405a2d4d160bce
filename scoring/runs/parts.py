"""Finished parts of a run: two Arrow files each, of answers and of rejects, there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from scoring.results.placed import sync
from scoring.scored import Scored

BATCH = 8192  # rows that are read back at a time
ANSWERS, REJECTS = "answers", "rejects"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts in a folder, by number."""

    folder: Path

    def path(self, number: int, kind: str) -> Path:
        """Where a part's answers or rejects stand.

        >>> print(Parts(Path("work")).path(7, ANSWERS))
        work/part-00000007.answers.arrow
        """
        return self.folder / f"part-{number:08d}.{kind}.arrow"

    def finished(self, number: int) -> bool:
        """Whether a part is there. Its answers are written last."""
        return self.path(number, ANSWERS).exists()

    def write(self, number: int, scored: Scored, batch: int = BATCH) -> None:
        """Write a part, so that it outlives the machine's power; ``batch`` rows are read back at a time."""
        self._write(self.path(number, REJECTS), scored.rejects, batch)
        self._write(self.path(number, ANSWERS), scored.answers, batch)
        sync(self.folder)

    def read(self, number: int, kind: str) -> Generator[pa.RecordBatch]:
        """The rows of a part, in the order of their numbers."""
        with self.path(number, kind).open("rb") as file, pa.ipc.open_file(file) as reader:
            for at in range(reader.num_record_batches):
                yield reader.get_batch(at)

    @staticmethod
    def _write(path: Path, table: pa.Table, batch: int) -> None:
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            with pa.ipc.new_file(file, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
                writer.write_table(table, max_chunksize=batch)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
