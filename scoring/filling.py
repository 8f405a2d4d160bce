"""The parts of a run, scored by threads: one reads, several score, few chunks wait in between."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from scoring.chunk import Chunk
from scoring.columns import ROW
from scoring.cutting import cut
from scoring.parts import BATCH
from scoring.plan import Course
from scoring.progress import Progress, Step
from scoring.scored import Scored
from scoring.scorer import Scorer
from scoring.sources.piece import Ragged, Source
from scoring.spill import Spill
from scoring.work import Work
from scoring.work_folder import SHARED_OUT, WorkFolder

SCORING = "scoring"
WAITING = 1  # chunks that are read while all threads are at work
MERGED = 65_536  # rows of all parts that are read back at a time, where they are merged


@dataclass(frozen=True, eq=False)
class Filling:
    """Makes each part of a run that is not there yet.

    Attributes:
        scorer: what scores.
        source: the input.
        folder: where the parts go.
        course: whether patients stand together in the input.
        chunk_rows: rows that are scored at a time, at least.
        workers: threads.
    """

    scorer: Scorer
    source: Source
    folder: WorkFolder
    course: Course
    chunk_rows: int
    workers: int

    def fill(self, progress: Progress) -> tuple[int, int]:
        """Score all that is not finished; returns the rows of the input and how many parts there are."""
        if self.course.together:
            return self._in_order(progress)
        return self._scattered(progress)

    def _in_order(self, progress: Progress) -> tuple[int, int]:
        rows = count = 0
        with self._pool() as do:
            for work in cut(self.source, self.chunk_rows):
                rows += work.count
                count += 1
                told = Step(SCORING, work.share, rows)
                if self.folder.parts.finished(work.number):
                    progress(told)
                else:
                    do(partial(self._one, work), partial(progress, told))
        return rows, count

    def _one(self, work: Work) -> None:
        scored = self._scored(work.chunk)
        self._finish(work.number, [scored, self._ragged(work.ragged)], work.count)

    def _scattered(self, progress: Progress) -> tuple[int, int]:
        header = self.source.identity_header or ""
        spill = Spill(self.folder.path, self.course.files)
        done = self.folder.marked(SHARED_OUT)
        rows, ragged_parts = self._share_out(spill, header, progress) if done is None else json.loads(done)
        with self._pool() as do:
            for number in range(spill.count):
                told = Step(SCORING, (number + 1) / spill.count, round(rows * (number + 1) / spill.count))
                if self.folder.parts.finished(number):
                    progress(told)
                else:
                    do(partial(self._file, spill, number, header), partial(progress, told))
        return rows, spill.count + ragged_parts

    def _file(self, spill: Spill, number: int, header: str) -> None:
        count, found = 0, []
        for chunk in spill.chunks(number, header, self.chunk_rows):
            count += len(chunk.rows)
            found.append(self._scored(chunk))
        self._finish(number, found or [self._scored(None)], count)

    def _share_out(self, spill: Spill, header: str, progress: Progress) -> tuple[int, int]:
        """Share out the rows, and make parts of the ragged ones; returns rows and the number of those parts."""
        ragged: list[Ragged] = []
        rows = parts = 0
        for share, count, more in spill.write(self.source, header):
            rows += count + len(more)
            ragged += more
            if len(ragged) >= self.chunk_rows:
                self._finish(spill.count + parts, [self._ragged(ragged)], len(ragged))
                parts, ragged = parts + 1, []
            progress(Step("sharing out", share, rows))
        if ragged:
            self._finish(spill.count + parts, [self._ragged(ragged)], len(ragged))
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
        columns = [rows, pa.nulls(len(rows), self.scorer.identity), codes, [str(each.problem) for each in ragged]]
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

    @contextmanager
    def _pool(self) -> Iterator[Callable[[Callable[[], None], Callable[[], None]], None]]:
        """Threads, and what gives them something to do and then tells of it; it waits while enough is waiting."""
        waiting: deque[tuple[Future[None], Callable[[], None]]] = deque()

        def await_first() -> None:
            future, then = waiting.popleft()
            future.result()
            then()

        def do(something: Callable[[], None], then: Callable[[], None]) -> None:
            while len(waiting) >= self.workers + WAITING:
                await_first()
            waiting.append((pool.submit(something), then))

        pool = ThreadPoolExecutor(self.workers, "scoring")
        try:
            yield do
            while waiting:
                await_first()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _by_row(table: pa.Table) -> pa.Table:
    rows = table[ROW].to_numpy()
    if bool((rows[1:] > rows[:-1]).all()):
        return table
    return table.take(pa.array(np.argsort(rows, kind="stable")))
