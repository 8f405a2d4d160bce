"""Laws of chunks: every row once and in order, whole patients, and cuts that do not depend on the pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.chunk import RecordChunk, TableChunk
from scoring.fault import ScoringFault
from scoring.runs.cutting import MOST_BYTES, MOST_OF_ONE, cut
from scoring.runs.merge import in_order
from scoring.runs.parts import ANSWERS, Parts
from scoring.runs.spill import Spill
from scoring.runs.survey import survey
from scoring.scored import Scored
from scoring.sources.piece import Piece, Ragged

NAMES = st.lists(st.sampled_from(["a", "b", "c", "", " ", None]), max_size=40)


@dataclass(frozen=True)
class Listed:
    """Rows of these patients in pieces of this size; of every seventh number the row is ragged."""

    patients: list[str | None]
    size: int
    ragged: bool = True
    header: str | None = "patient_id"

    files: tuple[Path, ...] = ()

    @property
    def patient_type(self) -> pa.DataType:
        return pa.string()

    @property
    def patient_header(self) -> str | None:
        return self.header

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        numbers = [number for number in range(1, 2 * len(self.patients) + 2) if not self.ragged or number % 7]
        numbers = numbers[: len(self.patients)]
        told = 0
        for begin in range(0, len(numbers), self.size):
            rows = np.array(numbers[begin : begin + self.size], np.int64)
            table = pa.table({"patient_id": pa.array(self.patients[begin : begin + self.size], pa.string())})
            there = [Ragged(at, 1, 2, 1) for at in range(told + 1, int(rows[-1])) if self.ragged and at % 7 == 0]
            told = int(rows[-1])
            yield Piece(rows, table, tuple(there), (begin + len(rows)) / len(numbers))


def runs(patients: list[str | None]) -> list[tuple[str | None, int]]:
    """Runs of one patient; who is not named is alone."""
    found: list[tuple[str | None, int]] = []
    for name, group in groupby(patients):
        count = len(list(group))
        found += [(name, count)] if name and name.strip() else [(None, 1)] * count
    return found


@settings(max_examples=200, deadline=None)
@given(patients=NAMES, size=st.integers(1, 12), chunk_rows=st.integers(1, 9))
def test_rows_come_once_in_order_and_patients_whole(patients: list[str | None], size: int, chunk_rows: int) -> None:
    found = list(cut(Listed(patients, size), chunk_rows))
    assert [work.number for work in found] == list(range(len(found)))
    every: list[int] = []
    lengths = []
    for work in found:
        rows = [] if work.chunk is None else work.chunk.rows.tolist()
        every += sorted([*rows, *(each.row for each in work.ragged)])
        lengths += [len(rows)] if rows else []
    assert every == list(range(1, len(every) + 1))
    assert sum(lengths) == len(patients)
    expected, held = [], 0  # a chunk ends with the patient with whom it reaches chunk_rows
    for _, count in runs(patients):
        held += count
        if held >= chunk_rows:
            expected.append(held)
            held = 0
    assert lengths == expected + [held] * bool(held)


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 50), size=st.integers(1, 12), chunk_rows=st.integers(1, 9))
def test_where_each_row_is_a_patient_chunks_are_of_one_size(count: int, size: int, chunk_rows: int) -> None:
    found = cut(Listed(["a"] * count, size, ragged=False, header=None), chunk_rows)
    lengths = [len(work.chunk.rows) for work in found if work.chunk is not None]
    assert lengths == [chunk_rows] * (count // chunk_rows) + [count % chunk_rows] * bool(count % chunk_rows)


def test_chunks_of_records_are_bounded_in_bytes() -> None:
    lines = [b"x" * (MOST_BYTES // 3)] * 10

    class Records(Listed):
        def pieces(self, only: str | None = None) -> Iterator[Piece]:
            yield Piece(np.arange(1, 11), None, (), 1.0, lines)

    found = [work.chunk for work in cut(Records([], 1, header=None), 8)]
    assert all(isinstance(chunk, RecordChunk) for chunk in found)
    assert [len(chunk.rows) for chunk in found if chunk is not None] == [4, 4, 2]


@pytest.mark.parametrize("scattered", [False, True])
def test_a_column_that_is_not_of_patients(scattered: bool, tmp_path: Path) -> None:
    def chunks(count: int) -> list[int]:
        source = Listed(["a"] * count, 8192, ragged=False)
        if not scattered:
            return [work.count for work in cut(source, 5)]
        spill = Spill(tmp_path, 1)
        list(spill.write(source, "patient_id"))
        return [len(chunk.rows) for chunk in spill.chunks(0, "patient_id", 5)]

    assert chunks(MOST_OF_ONE) == [MOST_OF_ONE]
    with pytest.raises(ScoringFault, match="more than 65536 rows of one patient_id"):
        chunks(MOST_OF_ONE + 1)


@settings(max_examples=200, deadline=None)
@given(patients=NAMES, size=st.integers(1, 12))
def test_whether_patients_stand_together(patients: list[str | None], size: int) -> None:
    names = [name for name, _ in runs(patients) if name is not None]
    found = survey(Listed(patients, size, ragged=False))
    assert found.together == (len(set(names)) == len(names))
    assert found.rows == len(patients)


def test_beyond_so_many_runs_they_are_taken_not_to() -> None:
    patients: list[str | None] = [f"p{number}" for number in range(50)]
    assert survey(Listed(patients, 7)).together
    assert not survey(Listed(patients, 7), most_runs=30).together


@settings(max_examples=100, deadline=None)
@given(patients=NAMES, size=st.integers(1, 12), chunk_rows=st.integers(1, 9), count=st.integers(1, 5))
def test_scattered_patients_are_brought_together_and_rows_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, patients: list[str | None], size: int, chunk_rows: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("spill")
    spill, parts, source = Spill(folder, count), Parts(folder), Listed(patients, size)
    ragged = [each.row for _, _, more in spill.write(source, "patient_id") for each in more]
    where: dict[str, set[tuple[int, int]]] = {}
    for number in range(count):
        tables = []
        for place, chunk in enumerate(spill.chunks(number, "patient_id", chunk_rows)):
            assert isinstance(chunk, TableChunk)
            for name in chunk.table["patient_id"].to_pylist():
                if name is not None and name.strip():
                    where.setdefault(name, set()).add((number, place))
            tables.append(pa.table({"row": chunk.rows, "patient_id": chunk.table["patient_id"]}))
        empty = pa.table({"row": pa.array([], pa.int64()), "patient_id": pa.array([], pa.string())})
        whole = pa.concat_tables([*tables, empty]).sort_by("row")
        parts.write(number, Scored(whole, empty))
    assert all(len(places) == 1 for places in where.values())
    batches = list(in_order(parts, range(count), ANSWERS, interleaved=True))
    rows = [row for batch in batches for row in batch["row"].to_pylist()]
    assert sorted([*rows, *ragged]) == list(range(1, len(rows) + len(ragged) + 1))
    assert rows == sorted(rows)
    assert [name for batch in batches for name in batch["patient_id"].to_pylist()] == patients
