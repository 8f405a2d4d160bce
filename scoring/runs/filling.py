"""The parts of a run, scored by threads: one reads, several score, few chunks wait in between."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from scoring.chunk import Chunk
from scoring.columns import ROW
from scoring.runs.cutting import cut
from scoring.runs.parts import BATCH
from scoring.runs.plan import Course
from scoring.runs.progress import Progress, Step
from scoring.runs.spill import Spill
from scoring.runs.work import Work
from scoring.runs.work_folder import SHARED_OUT, WorkFolder
from scoring.scored import Scored
from scoring.scorer import Scorer
from scoring.sources.piece import Ragged, Source

SCORING = "scoring"
WAITING = 2  # chunks that are read while all threads are at work and the caller writes
MERGED = 65_536  # rows of all parts that are read back at a time, where they are merged


class _Todo(NamedTuple):
    number: int  # of a part
    make: Callable[[], None]
    told: Step  # when it is finished


@dataclass(eq=False)
class Filling:
    """Makes each part of a run that is not there yet.

    Attributes:
        scorer: what scores.
        source: the input.
        folder: where the parts go.
        course: whether patients stand together in the input.
        chunk_rows: rows that are scored at a time, at least.
        workers: threads.
        rows, parts: of the input, so far.
    """

    scorer: Scorer
    source: Source
    folder: WorkFolder
    course: Course
    chunk_rows: int
    workers: int
    rows: int = field(default=0, init=False)
    parts: int = field(default=0, init=False)

    def fill(self, progress: Progress) -> Generator[int]:
        """Score what is not finished, and number the parts in their order, each when it is finished.

        Threads score while the caller does something with a part. Close it where it is not used up.
        """
        steps = self._in_order() if self.course.together else self._scattered(progress)
        under_way: deque[tuple[_Todo, Future[None] | None]] = deque()

        def first() -> int:
            todo, future = under_way.popleft()
            if future is not None:
                future.result()
            progress(todo.told)
            return todo.number

        pool = ThreadPoolExecutor(self.workers, "scoring")
        try:
            for todo in steps:
                done = self.folder.parts.finished(todo.number)
                under_way.append((todo, None if done else pool.submit(todo.make)))
                if len(under_way) >= self.workers + WAITING:
                    yield first()
            while under_way:
                yield first()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _in_order(self) -> Iterator[_Todo]:
        for work in cut(self.source, self.chunk_rows):
            self.rows += work.count
            self.parts += 1
            yield _Todo(work.number, partial(self._one, work), Step(SCORING, work.share, self.rows))

    def _one(self, work: Work) -> None:
        scored = self._scored(work.chunk)
        self._finish(work.number, [scored, self._ragged(work.ragged)], work.count)

    def _scattered(self, progress: Progress) -> Iterator[_Todo]:
        header = self.source.patient_header or ""
        spill = Spill(self.folder.path, self.course.files)
        done = self.folder.marked(SHARED_OUT)
        self.rows, self.parts = self._share_out(spill, header, progress) if done is None else json.loads(done)
        for number in range(self.parts):
            share = min(1.0, (number + 1) / spill.count)
            told = Step(SCORING, share, round(self.rows * share))
            yield _Todo(number, partial(self._file, spill, number, header), told)

    def _file(self, spill: Spill, number: int, header: str) -> None:
        count, found = 0, []
        for chunk in spill.chunks(number, header, self.chunk_rows):
            count += len(chunk.rows)
            found.append(self._scored(chunk))
        self._finish(number, found or [self._scored(None)], count)

    def _share_out(self, spill: Spill, header: str, progress: Progress) -> tuple[int, int]:
        """Share out the rows, and make the parts of the ragged ones; returns rows and the number of all parts."""
        ragged: list[Ragged] = []
        rows, parts = 0, spill.count
        for share, count, more in spill.write(self.source, header):
            rows += count + len(more)
            ragged += more
            if len(ragged) >= self.chunk_rows:
                self._finish(parts, [self._ragged(ragged)], len(ragged))
                parts, ragged = parts + 1, []
            progress(Step("sharing out", share, rows))
        if ragged:
            self._finish(parts, [self._ragged(ragged)], len(ragged))
            parts += 1
        self.folder.mark(SHARED_OUT, json.dumps([rows, parts]).encode())
        return rows, parts

    def _scored(self, chunk: Chunk | None) -> Scored:
        """What becomes of a chunk, of whose rows the scorer answers a sample one by one, too, and compares."""
        if chunk is None or not len(chunk.rows):
            return Scored(self.scorer.answer_schema.empty_table(), self.scorer.reject_schema.empty_table())
        return self.scorer.score(chunk)

    def _ragged(self, ragged: tuple[Ragged, ...] | list[Ragged]) -> Scored:
        rows = [each.row for each in ragged]
        codes = [each.problem.code for each in ragged]
        columns = [
            rows,
            pa.nulls(len(rows), self.scorer.patient_type),
            codes,
            [str(each.problem) for each in ragged],
        ]
        rejects = pa.table(columns, schema=self.scorer.reject_schema)
        return Scored(self.scorer.answer_schema.empty_table(), rejects)

    def _finish(self, number: int, found: list[Scored], count: int) -> None:
        answers = _by_row(pa.concat_tables([each.answers for each in found]))
        rejects = _by_row(pa.concat_tables([each.rejects for each in found]))
        if answers.num_rows + rejects.num_rows != count:
            told = answers.num_rows + rejects.num_rows
            raise ArithmeticError(f"part {number}: {count} rows in, but {told} answered, abstained or rejected")
        batch = BATCH if self.course.together else max(1, MERGED // self.course.files)
        self.folder.parts.write(number, Scored(answers, rejects), batch)


def _by_row(table: pa.Table) -> pa.Table:
    rows = table[ROW].to_numpy()
    if bool((rows[1:] > rows[:-1]).all()):
        return table
    return table.take(pa.array(np.argsort(rows, kind="stable")))
