"""What a task does: answers and rejects of its rows in one table, told apart by their kind, so that one pass gives
both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.mapping import ColumnMapping
from scoring.chunk import RecordChunk, TableChunk
from scoring.scored import Scored
from scoring.scorer import Scorer
from scoring.settings import ScoreSettings
from scoring.spark.columns import ANSWERS, FIELDS, KEY, KIND, LINE, OWN, REJECTS, ROW_NUMBER, both_schema
from scoring.spark.csv_lines import ragged_rejects
from scoring.spark.patients import whole_patients
from scoring.spark.shipped_pack import ShippedPack
from scoring.spark.stopped import telling

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class ScoreTask:
    """All that a task must know, as it travels to the executors."""

    pack: ShippedPack
    mapping: ColumnMapping
    settings: ScoreSettings
    patient_type: pa.DataType
    used: tuple[str, ...]  # headers of the columns, which travel under other names
    headers: int  # fields of a line of CSV; 0 for other input

    def over(self) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
        """As Spark takes it: a function from batches to batches."""
        return lambda batches: telling(lambda: self.rows(batches))

    def rows(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Answers and rejects of the rows, in the columns of `both_schema`.

        Raises:
            Refused: the pack of this executor is not the one that was sent.
        """
        scorer = Scorer(self.pack.load().predictor, self.mapping, self.settings, self.patient_type)
        schema = both_schema(scorer.answer_schema)
        for table in _tables(batches):
            for scored in self._scored(table, scorer):
                yield from _of_kind(ANSWERS, scored.answers, schema)
                yield from _of_kind(REJECTS, scored.rejects, schema)

    def _scored(self, table: pa.Table, scorer: Scorer) -> Iterator[Scored]:
        if FIELDS in table.column_names:
            ragged = pc.is_valid(table[FIELDS])
            rejects = ragged_rejects(table.filter(ragged), self.headers, scorer.reject_schema)
            yield Scored(scorer.answer_schema.empty_table(), rejects)
            table = table.filter(pc.invert(ragged))
        rows = np.asarray(table[ROW_NUMBER].to_numpy(), np.int64)
        if LINE in table.column_names:
            yield scorer.score(RecordChunk(rows, table[LINE].to_pylist()))
        else:
            cells = table.drop_columns([name for name in OWN if name in table.column_names])
            yield scorer.score(TableChunk(rows, cells.rename_columns(list(self.used))))


def _tables(batches: Batches) -> Iterator[pa.Table]:
    """Whole patients where rows have a key; else each row is a patient, and batches are taken as they come."""
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        return
    if KEY in first.schema.names:
        yield from whole_patients(_chained(first, iterator), KEY)
        return
    for batch in _chained(first, iterator):
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def _chained(first: pa.RecordBatch, rest: Batches) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _of_kind(kind: str, table: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    """The table with the columns of both; null where its kind has none."""
    count = table.num_rows
    columns = [
        pa.array([kind] * count, field.type)
        if field.name == KIND
        else table[field.name]
        if field.name in table.column_names
        else pa.nulls(count, field.type)
        for field in schema
    ]
    batches: list[pa.RecordBatch] = pa.table(columns, schema).combine_chunks().to_batches()
    return batches
