"""From a chunk of the input to its answers and rejects, all from one pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.mapping import ColumnMapping
from features.record import PatientRecord
from features.table import PATIENT
from model.fitted import FittedModel
from model.predictor import Predictor
from scoring.chunk import Chunk, RecordChunk, TableChunk
from scoring.columns import answer_schema, reject_schema
from scoring.compiled.applicability import CompiledApplicability
from scoring.compiled.fitted import compiled
from scoring.rows.forecasts import Forecasts
from scoring.rows.lines import Parsed, parse_line
from scoring.rows.mapped import mapped_columns, mapped_rows
from scoring.rows.one_by_one import understand_rows
from scoring.rows.ordinary import Ordinary
from scoring.rows.sample import require_same, require_same_numbers, sampled
from scoring.rows.understood import Understood
from scoring.scored import Scored
from scoring.settings import ScoreSettings


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores chunks; safe under threads.

    Attributes:
        predictor: the pack's.
        mapping: how the headers, codes and units of the input become those of the vocabulary.
        settings: what is asked for.
        patient_type: the type of ``patient_id`` in the input; text for records, which have references.
    """

    predictor: Predictor
    mapping: ColumnMapping
    settings: ScoreSettings
    patient_type: pa.DataType

    @property
    def answer_schema(self) -> pa.Schema:
        """The columns of the answers."""
        return answer_schema(self.patient_type, self.predictor.matrix, self.settings.explain)

    @property
    def reject_schema(self) -> pa.Schema:
        """The columns of the rejects."""
        return reject_schema(self.patient_type)

    def score(self, chunk: Chunk) -> Scored:
        """The answers and the rejects of a chunk, each in the order of the rows' numbers.

        Raises:
            Disagreement: a row of the sample came out differently when it was answered alone.
            ArithmeticError: the model gave a number that is not finite.
        """
        found = Understood.nothing_yet(len(chunk.rows), len(self.predictor.matrix.columns))
        lines = self._parsed(chunk) if isinstance(chunk, RecordChunk) else []
        if isinstance(chunk, TableChunk):
            identities, ordinary = self._identities(chunk), self._read_table(chunk, found)
        else:
            identities = pa.array([reference for reference, _, _ in lines], self.patient_type)
            ordinary = self._read_records(lines, found)
        forecasts = Forecasts.of(self._fitted, found.design, self.settings)
        ordinary.judge(self.predictor, forecasts.distribution, self._applicability.is_unlike, found)
        self._compare(chunk, lines, ordinary, found, forecasts)
        return self._scored(chunk.rows, identities, found, forecasts)

    @cached_property
    def _fitted(self) -> FittedModel:
        return compiled(self.predictor.fitted)

    @cached_property
    def _applicability(self) -> CompiledApplicability:
        return CompiledApplicability(self.predictor.applicability)

    def _parsed(self, chunk: RecordChunk) -> list[Parsed]:
        return [parse_line(line, self.settings.today) for line in chunk.lines]

    def _read_records(self, lines: Sequence[Parsed], into: Understood) -> Ordinary:
        plain: list[tuple[int, PatientRecord]] = []
        for at, (_, record, problems) in enumerate(lines):
            into.problems[at] = problems
            if record is not None:
                plain.append((at, record))
        ordinary = Ordinary.of_records(self.predictor, [record for _, record in plain], [at for at, _ in plain])
        ordinary.place(into)
        return ordinary

    def _read_table(self, chunk: TableChunk, into: Understood) -> Ordinary:
        units, today = self.mapping.units, self.settings.today
        columns = mapped_columns(chunk.table, self.mapping)
        ordinary = Ordinary.of_table(self.predictor, columns, units, len(chunk.rows), today)
        ordinary.place(into)
        odd = np.ones(len(chunk.rows), np.bool_)
        odd[ordinary.positions] = False
        self._one_by_one(chunk, np.flatnonzero(odd), into)
        return ordinary

    def _one_by_one(self, chunk: TableChunk, positions: NDArray[np.int64], into: Understood) -> None:
        """Understand these rows, all of their patients, through the parser."""
        if len(positions):
            understand_rows(
                self.predictor,
                mapped_rows(chunk.table.take(pa.array(positions)), self.mapping),
                into,
                positions=positions.tolist(),
                numbers=chunk.rows[positions].tolist(),
                units=self.mapping.units,
                today=self.settings.today,
            )

    def _compare(
        self, chunk: Chunk, lines: Sequence[Parsed], ordinary: Ordinary, found: Understood, forecasts: Forecasts
    ) -> None:
        """Hold a sample of the rows to what each is told alone."""
        at = sampled(chunk.rows)
        again = Understood.nothing_yet(*found.design.shape)
        if isinstance(chunk, TableChunk):
            same = at[np.isin(at, ordinary.positions)]
            self._one_by_one(chunk, ordinary.patients_of(same), again)
        else:
            records = {place: lines[place][1] for place in at.tolist()}
            same = np.array([place for place, record in records.items() if record is not None], np.int64)
            for place, record in records.items():
                if record is not None:
                    again.of_record(place, record, self.predictor)
        require_same(same, chunk.rows, found, again)
        alone = Forecasts.of(self.predictor.fitted, found.design[at], self.settings)
        require_same_numbers(at, chunk.rows, forecasts, alone)

    def _identities(self, chunk: TableChunk) -> pa.ChunkedArray | pa.Array:
        header = self.mapping.header_of(PATIENT)
        if header is None or header not in chunk.table.column_names:
            return pa.nulls(len(chunk.rows), self.patient_type)
        return chunk.table[header]

    def _scored(
        self,
        rows: NDArray[np.int64],
        identities: pa.ChunkedArray | pa.Array,
        found: Understood,
        forecasts: Forecasts,
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
            *forecasts.columns(kept, ~abstained, self.predictor.matrix, self.settings),
        ]
        problems = [found.problems[at] for at in left.tolist()]
        rejects = [
            pa.array(rows[left]),
            identities.take(pa.array(left)),
            pa.array([" ".join(dict.fromkeys(problem.code for problem in each)) for each in problems], pa.string()),
            pa.array(["\n".join(map(str, each)) for each in problems], pa.string()),
        ]
        return Scored(pa.table(answers, self.answer_schema), pa.table(rejects, self.reject_schema))
