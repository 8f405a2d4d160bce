"""Pieces cut into chunks of whole patients. Where they are cut depends on the rows alone, not on the pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scoring.chunk import Chunk, RecordChunk, TableChunk
from scoring.fault import InputFault
from scoring.runs.identity import joined, starts
from scoring.runs.work import Work
from scoring.sources.piece import Piece, Ragged, Source

CHUNK_ROWS = 16_384  # at least so many rows in a chunk, but for the last
MOST_OF_ONE = 65_536  # rows of one patient; a record holds 400 visits
MOST_BYTES = 32 * 2**20  # of the lines in a chunk


def cut(source: Source, chunk_rows: int = CHUNK_ROWS) -> Iterator[Work]:
    """The chunks of an input in which the rows of each patient stand together.

    A chunk ends at the first new patient after ``chunk_rows`` rows; where each row is a patient, after exactly so
    many; lines of records also after 32 MiB.

    Raises:
        InputFault: the input cannot be read, or one patient has more than 65,536 rows.
    """
    waiting: list[Piece] = []
    ragged: list[Ragged] = []
    number = 0
    for piece in source.pieces():
        ragged += piece.ragged
        if len(piece.rows):
            waiting.append(piece)
        if len(ragged) + sum(len(each.rows) for each in waiting) < chunk_rows and _bytes(waiting) < MOST_BYTES:
            continue
        chunk = _together(waiting)
        while chunk is not None or len(ragged) >= chunk_rows:
            end = 0 if chunk is None else _end(chunk, source.patient_header, chunk_rows)
            if chunk is not None and end == 0:
                break
            first, chunk = _split(chunk, end)
            share = piece.share if chunk is None else piece.share * int(chunk.rows[0] - 1) / int(chunk.rows[-1])
            yield Work(number, first, _take(ragged, chunk), share)
            number += 1
        waiting = [] if chunk is None else [_piece(chunk)]
    if waiting or ragged:
        yield Work(number, _together(waiting), tuple(ragged), 1.0)


def require_few_of_one(begins: NDArray[np.int64], count: int, header: str) -> None:
    """Refuse a column as that of the patients if more of the ``count`` rows are of one than any patient has.

    Args:
        begins: (k,) the first row of each patient, ascending. count: of all rows. header: of the column.

    Raises:
        InputFault: there are more than 65,536 of one.
    """
    if int(np.diff(begins, append=count).max(initial=0)) > MOST_OF_ONE:
        raise InputFault(f"more than {MOST_OF_ONE} rows of one {header}; is that the column of the patients?")


def _bytes(pieces: Iterable[Piece]) -> int:
    """Of lines of records; a table's cells are not counted."""
    return sum(len(line) for piece in pieces for line in piece.lines)


def _together(pieces: Iterable[Piece]) -> Chunk | None:
    pieces = list(pieces)
    if not pieces:
        return None
    rows = np.concatenate([piece.rows for piece in pieces])
    if pieces[0].table is not None:
        return TableChunk(rows, pa.concat_tables([piece.table for piece in pieces]))
    return RecordChunk(rows, [line for piece in pieces for line in piece.lines])


def _piece(chunk: Chunk) -> Piece:
    if isinstance(chunk, TableChunk):
        return Piece(chunk.rows, chunk.table, (), 0.0)
    return Piece(chunk.rows, None, (), 0.0, chunk.lines)


def _end(chunk: Chunk, header: str | None, chunk_rows: int) -> int:
    """Before which row the chunk ends; 0 where more must be read to know."""
    count = len(chunk.rows)
    if isinstance(chunk, RecordChunk):
        sizes = np.cumsum([len(line) for line in chunk.lines[:chunk_rows]])
        full = int(np.searchsorted(sizes, MOST_BYTES, side="right")) + 1
        return full if full <= min(count, chunk_rows) else chunk_rows if count >= chunk_rows else 0
    if header is None:
        return chunk_rows if count >= chunk_rows else 0
    if count <= chunk_rows:
        return 0
    begins = np.flatnonzero(starts(joined(chunk.table[header])))
    later = begins[begins >= chunk_rows]
    require_few_of_one(begins, count, header)
    return int(later[0]) if len(later) else 0


def _split(chunk: Chunk | None, end: int) -> tuple[Chunk | None, Chunk | None]:
    if chunk is None:
        return None, None
    before, after = chunk.rows[:end], chunk.rows[end:]
    if isinstance(chunk, TableChunk):
        first: Chunk = TableChunk(before, chunk.table.slice(0, end).combine_chunks())
        return first, TableChunk(after, chunk.table.slice(end)) if len(after) else None
    first = RecordChunk(before, chunk.lines[:end])
    return first, RecordChunk(after, chunk.lines[end:]) if len(after) else None


def _take(ragged: list[Ragged], rest: Chunk | None) -> tuple[Ragged, ...]:
    """Take away those that stand before what is left; all if nothing is."""
    taken = tuple(each for each in ragged if rest is None or each.row < rest.rows[0])
    del ragged[: len(taken)]
    return taken
