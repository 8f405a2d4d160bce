"""From a chunk of the input to its answers and rejects, all from one pack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.mapping import ColumnMapping, apply_mapping
from features.table import PATIENT, Row
from model.predictor import Predictor
from scoring.chunk import Chunk, TableChunk
from scoring.columns import answer_schema, reject_schema
from scoring.numbers import number_columns
from scoring.one_by_one import understand_line, understand_rows
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
        if isinstance(chunk, TableChunk):
            identities = self._understand_table(chunk, found)
        else:
            references = [
                understand_line(self.predictor, line, found, at, self.settings.today)
                for at, line in enumerate(chunk.lines)
            ]
            identities = pa.array(references, self.identity)
        return self._scored(chunk.rows, identities, found)

    def _understand_table(self, chunk: TableChunk, into: Understood) -> pa.ChunkedArray | pa.Array:
        cells = {name: chunk.table[name].to_pylist() for name in chunk.table.column_names}
        columns, _ = apply_mapping(self.mapping, cells, refuse=False)
        rows: list[Row] = [{} for _ in chunk.rows]
        if columns:
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        understand_rows(
            self.predictor,
            rows,
            into,
            positions=range(len(rows)),
            numbers=chunk.rows.tolist(),
            units=self.mapping.units,
            today=self.settings.today,
        )
        return self._identities(chunk)

    def _identities(self, chunk: TableChunk) -> pa.ChunkedArray | pa.Array:
        source = self.mapping.sources.get(PATIENT)
        header = PATIENT if source is None else source.headers[0]
        if header not in chunk.table.column_names:
            return pa.nulls(len(chunk.rows), self.identity)
        return chunk.table[header]

    def _scored(self, rows: NDArray[np.int64], identities: pa.ChunkedArray | pa.Array, found: Understood) -> Scored:
        order = np.argsort(rows, kind="stable")
        rejected = np.array([bool(problems) for problems in found.problems], np.bool_)
        kept, left = order[~rejected[order]], order[rejected[order]]
        abstained, codes = found.abstained[kept], found.codes[kept]
        outcomes = np.where(abstained, "abstained", np.where(codes == "", "prediction", "prediction_with_cautions"))
        numbers = number_columns(
            self.predictor.fitted, self.predictor.matrix, found.design[kept], ~abstained, self.settings
        )
        answers = [rows[kept], identities.take(pa.array(kept)), found.month[kept], outcomes.astype(object), codes]
        problems = [found.problems[at] for at in left.tolist()]
        rejects = [
            rows[left],
            identities.take(pa.array(left)),
            [" ".join(dict.fromkeys(problem.code for problem in each)) for each in problems],
            ["\n".join(map(str, each)) for each in problems],
        ]
        return Scored(pa.table([*answers, *numbers], self.answer_schema), pa.table(rejects, self.reject_schema))
