"""From a chunk of the input to its answers and rejects, all from one pack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.mapping import ColumnMapping, apply_mapping
from features.table import PATIENT, Row
from model.fitted import FittedModel
from model.predictor import Predictor
from scoring.cells import Column
from scoring.chunk import Chunk, RecordChunk, TableChunk
from scoring.columns import answer_schema, reject_schema
from scoring.compiled.applicability import CompiledApplicability
from scoring.compiled.fitted import compiled
from scoring.numbers import Numbers
from scoring.one_by_one import understand_line, understand_rows
from scoring.ordinary import Ordinary
from scoring.sample import require_same, require_same_numbers, sampled
from scoring.scored import Scored
from scoring.settings import ScoreSettings
from scoring.understood import Understood


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores chunks; safe under threads.

    Attributes:
        predictor: the pack's.
        mapping: how the headers, codes and units of the input become those of the vocabulary.
        settings: what is asked for.
        identity: the type of ``patient_id`` in the input; text for records, which have references.
    """

    predictor: Predictor
    mapping: ColumnMapping
    settings: ScoreSettings
    identity: pa.DataType

    @property
    def answer_schema(self) -> pa.Schema:
        """The columns of the answers."""
        return answer_schema(self.identity, self.predictor.matrix, self.settings.explain)

    @property
    def reject_schema(self) -> pa.Schema:
        """The columns of the rejects."""
        return reject_schema(self.identity)

    def score(self, chunk: Chunk) -> Scored:
        """The answers and the rejects of a chunk, each in the order of the rows' numbers."""
        found = Understood.nothing_yet(len(chunk.rows), len(self.predictor.matrix.columns))
        if isinstance(chunk, RecordChunk):
            identities = pa.array(self._read_lines(chunk, found), self.identity)
            numbers = Numbers.of(self._fitted, found.design, self.settings)
        else:
            identities = self._identities(chunk)
            ordinary = self._read_table(chunk, found)
            numbers = Numbers.of(self._fitted, found.design, self.settings)
            ordinary.judge(self.predictor, numbers.distribution, self._applicability.is_unlike, found)
            self._compare(chunk, ordinary, found)
        at = sampled(chunk.rows)
        require_same_numbers(
            at, chunk.rows, numbers, Numbers.of(self.predictor.fitted, found.design[at], self.settings)
        )
        return self._scored(chunk.rows, identities, found, numbers)

    @cached_property
    def _fitted(self) -> FittedModel:
        return compiled(self.predictor.fitted)

    @cached_property
    def _applicability(self) -> CompiledApplicability:
        return CompiledApplicability(self.predictor.applicability)

    def _read_lines(self, chunk: RecordChunk, into: Understood) -> list[str | None]:
        today = self.settings.today
        return [understand_line(self.predictor, line, into, at, today) for at, line in enumerate(chunk.lines)]

    def _read_table(self, chunk: TableChunk, into: Understood) -> Ordinary:
        units, today = self.mapping.units, self.settings.today
        ordinary = Ordinary.read(self.predictor, self._mapped(chunk.table), units, len(chunk.rows), today)
        ordinary.place(into)
        self._one_by_one(chunk, ordinary.odd, into)
        return ordinary

    def _one_by_one(self, chunk: TableChunk, positions: NDArray[np.int64], into: Understood) -> None:
        """Understand these rows, all of their patients, through the parser."""
        if len(positions):
            understand_rows(
                self.predictor,
                self._rows(chunk.table.take(pa.array(positions))),
                into,
                positions=positions.tolist(),
                numbers=chunk.rows[positions].tolist(),
                units=self.mapping.units,
                today=self.settings.today,
            )

    def _compare(self, chunk: TableChunk, ordinary: Ordinary, found: Understood) -> None:
        """Hold a sample of the ordinary rows to the single way."""
        at = sampled(chunk.rows)
        again = Understood.nothing_yet(*found.design.shape)
        self._one_by_one(chunk, ordinary.patients_of(at), again)
        require_same(at, chunk.rows, found, again)

    def _mapped(self, table: pa.Table) -> dict[str, Column]:
        """The columns by vocabulary column; only those that a mapping makes anew are lists."""
        remade = {
            header
            for source in self.mapping.sources.values()
            for header in source.headers
            if source.values or source.flags or source.is_sum
        }
        cells = {name: table[name].to_pylist() if name in remade else table[name] for name in table.column_names}
        columns, _ = apply_mapping(self.mapping, cells, refuse=False)
        return columns

    def _rows(self, table: pa.Table) -> list[Row]:
        """Its rows, cells by vocabulary column."""
        cells = {name: table[name].to_pylist() for name in table.column_names}
        columns, _ = apply_mapping(self.mapping, cells, refuse=False)
        if not columns:
            return [{} for _ in range(table.num_rows)]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _identities(self, chunk: TableChunk) -> pa.ChunkedArray | pa.Array:
        source = self.mapping.sources.get(PATIENT)
        header = PATIENT if source is None else source.headers[0]
        if header not in chunk.table.column_names:
            return pa.nulls(len(chunk.rows), self.identity)
        return chunk.table[header]

    def _scored(
        self,
        rows: NDArray[np.int64],
        identities: pa.ChunkedArray | pa.Array,
        found: Understood,
        numbers: Numbers,
    ) -> Scored:
        order, rejected = np.argsort(rows, kind="stable"), found.rejected()
        kept, left = order[~rejected[order]], order[rejected[order]]
        abstained, codes = found.abstained[kept], found.codes[kept]
        outcomes = np.where(abstained, "abstained", np.where(codes == "", "prediction", "prediction_with_cautions"))
        answers = [
            pa.array(rows[kept]),
            identities.take(pa.array(kept)),
            pa.array(found.month[kept]),
            pa.array(outcomes),
            pa.array(codes, pa.string()),
            *numbers.columns(kept, ~abstained, self.predictor.matrix, self.settings),
        ]
        problems = [found.problems[at] for at in left.tolist()]
        rejects = [
            pa.array(rows[left]),
            identities.take(pa.array(left)),
            pa.array([" ".join(dict.fromkeys(problem.code for problem in each)) for each in problems], pa.string()),
            pa.array(["\n".join(map(str, each)) for each in problems], pa.string()),
        ]
        return Scored(pa.table(answers, self.answer_schema), pa.table(rejects, self.reject_schema))
