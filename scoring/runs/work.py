"""What is scored at a time and finished as a part: whole patients, and the ragged rows that stand among theirs."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.chunk import Chunk
from scoring.sources.piece import Ragged


@dataclass(frozen=True, eq=False)
class Work:
    """A chunk, if there is one, and the ragged rows between its first row and the next chunk's."""

    number: int  # of the part, from 0
    chunk: Chunk | None
    ragged: tuple[Ragged, ...]
    share: float  # of the input that is read with it

    @property
    def count(self) -> int:
        """Rows of the input."""
        return len(self.ragged) + (0 if self.chunk is None else len(self.chunk.rows))
