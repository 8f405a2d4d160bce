"""A run: from an input to its answers, its rejects and its summary, all of them or none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from features.headers import Headers
from features.mapping import ColumnMapping, read_mapping
from model.pack import Pack
from scoring.columns import Explain
from scoring.fault import InputFault, ScoringFault, writing_fault
from scoring.results.placed import place, unfinished, written
from scoring.results.tables import kind_of, write_table
from scoring.rows.forecasts import require_coverage
from scoring.runs.code import code_digest
from scoring.runs.cutting import CHUNK_ROWS
from scoring.runs.filling import Filling
from scoring.runs.merge import in_order
from scoring.runs.parts import ANSWERS, REJECTS
from scoring.runs.plan import Course, Plan, differences, digest_of
from scoring.runs.progress import Progress, Step, silent
from scoring.runs.spill import Spill
from scoring.runs.survey import survey
from scoring.runs.work_folder import PLACING, WorkFolder
from scoring.scorer import Scorer
from scoring.sources.naming import Named, headers_for, unnamed
from scoring.sources.opening import open_source
from scoring.sources.piece import Source
from scoring.summary import Summary, Tally


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for.

    Attributes:
        input: a file or a folder.
        out, rejects, summary: what is written; in which form, the ending says.
        mapping: a TOML file, where headers, units or codes are not the vocabulary's.
        explain, coverage: as in `ScoreSettings`.
        as_of: YYYY-MM-DD, which no visit may be after.
        as_of_is_given: whether that day was asked for; else a resumed run keeps the one it began with.
        workers: threads that score.
        resume: go on with what a run left that was stopped.
        overwrite: replace what is there, and drop what a run left that was stopped.
        chunk_rows: rows that are scored at a time, at least.
        strict: whether a header that is not read, but is like a column, is a fault of the input.
    """

    input: Path
    out: Path
    rejects: Path
    summary: Path
    mapping: Path | None
    explain: Explain
    coverage: float
    as_of: str
    as_of_is_given: bool = True
    workers: int = 1
    resume: bool = False
    overwrite: bool = False
    chunk_rows: int = CHUNK_ROWS
    strict: bool = False

    @property
    def targets(self) -> tuple[Path, Path, Path]:
        """All that is written."""
        return self.out, self.rejects, self.summary


def run(job: Job, pack: Pack, progress: Progress = silent, named: Named = unnamed) -> Summary:
    """Score an input.

    Args:
        job: what is asked for.
        pack: what answers.
        progress: is told how far it is.
        named: is told, before anything is read but the headers, what becomes of each.

    Raises:
        ScoringFault: something the user can mend; nothing stands in the place of a result.
        MappingError: the mapping cannot be used.
        ArithmeticError: the counts do not add up, or the model gave a number that is not finite.
    """
    mapping = ColumnMapping() if job.mapping is None else read_mapping(job.mapping)
    source = open_source(job.input, mapping)
    _require_targets(job, source)
    headers = headers_for(job.input, source.every_header, pack.predictor.matrix, named, strict=job.strict)
    require_coverage(pack.predictor.fitted, job.coverage)
    with _held(job) as folder:
        before = _stamps(source)
        plan, course = _settled(job, pack, source, folder, progress)
        scorer = Scorer(pack.predictor, mapping, plan.settings, source.patient_type)
        filling = Filling(scorer, source, folder, course, plan.chunk_rows, job.workers)
        with _cleared(job), closing(filling.fill(progress)) as numbers:
            summary = _written(job, pack, plan, filling, numbers, headers)
            if _stamps(source) != before:
                raise InputFault(f"{job.input}: it was changed while it was read; run again")
            progress(Step("writing", 0.0, summary.rows))
        folder.mark(PLACING)
        for target in job.targets:
            place(target)
        folder.remove()
        progress(Step("writing", 1.0, summary.rows))
    return summary


@contextmanager
def _held(job: Job) -> Iterator[WorkFolder]:
    """The folder of the run. What a fault of the input leaves is of no use, and is removed."""
    folder = WorkFolder(job.out)
    try:
        folder.hold()
        yield folder
    except InputFault:
        folder.remove()
        raise
    except OSError as error:
        raise writing_fault(error) from error
    finally:
        folder.release()


@contextmanager
def _cleared(job: Job) -> Iterator[None]:
    """Nothing half-written stays where writing fails."""
    try:
        yield
    except BaseException:
        for target in job.targets:
            unfinished(target).unlink(missing_ok=True)
        raise


def _settled(job: Job, pack: Pack, source: Source, folder: WorkFolder, progress: Progress) -> tuple[Plan, Course]:
    """The plan and the course, those of the run that is resumed or new ones."""
    left = None
    if job.resume or not job.overwrite:
        left = folder.plan()
    if left is not None and not job.resume:
        raise ScoringFault(
            f"{folder.path}: a run was stopped here; --resume goes on with it, --overwrite starts anew"
        )
    there = [str(path) for path in job.targets if os.path.lexists(path)]  # a link too, wherever it leads
    if there and not job.overwrite and (left is None or folder.marked(PLACING) is None):
        if left is None:
            folder.remove()
        raise ScoringFault(f"{', '.join(there)}: there already; name another output, or give --overwrite")
    progress(Step("looking at the input", 0.0, 0))
    mapping = None if job.mapping is None else hashlib.sha256(job.mapping.read_bytes()).hexdigest()
    digest = digest_of(job.input, source.files)
    plan = Plan(digest, mapping, pack.id, job.explain, job.coverage, job.as_of, job.chunk_rows, code_digest())
    if left is not None:
        plan = plan if job.as_of_is_given else replace(plan, as_of=left[0].as_of)
        differing = differences(left[0], plan)
        if differing:
            words = f"{', '.join(differing)} differs from the run that was stopped"
            raise ScoringFault(f"{folder.path}: {words}; give the same again, or start anew with --overwrite")
        return left
    folder.empty()
    found = survey(source)
    files = 0 if found.together else Spill.files_for(found.rows or 0, job.chunk_rows)
    course = Course(found.together, files)
    folder.begin(plan, course)
    return plan, course


def _require_targets(job: Job, source: Source) -> None:
    problems = [
        f"{path}: not a .parquet, .csv or .ndjson file (or .csv.gz, .jsonl)"
        for path in (job.out, job.rejects)
        if kind_of(path) is None
    ]
    places = [path.resolve() for path in job.targets]
    if len(set(places)) < len(places):
        problems.append("answers, rejects and summary need a file each; name another")
    inputs = {path.resolve() for path in source.files}
    root = job.input.resolve()
    for path, place_of in zip(job.targets, places, strict=True):
        if place_of in inputs or (job.input.is_dir() and root in place_of.parents):
            problems.append(f"{path}: it is, or is in, the input; name another output")
        if not path.parent.is_dir():
            problems.append(f"{path}: its folder is not there; make it first")
        if path.is_dir():
            problems.append(f"{path}: it is a folder; name a file")
    if problems:
        raise ScoringFault("; ".join(problems))


def _stamps(source: Source) -> list[tuple[int, int]]:
    found = [path.stat() for path in source.files]
    return [(each.st_size, each.st_mtime_ns) for each in found]


def _written(
    job: Job, pack: Pack, plan: Plan, filling: Filling, numbers: Iterator[int], headers: Headers | None
) -> Summary:
    """Write all files, whole and beside their places, while the parts with these numbers are made."""
    tally = Tally()
    scorer, read = filling.scorer, filling.folder.parts
    interleaved = not filling.course.together
    said = {"tregcast.pack_id": pack.id, "tregcast.version": plan.version, "tregcast.format": str(plan.format)}
    with closing(in_order(read, numbers, ANSWERS, interleaved=interleaved)) as answers:
        write_table(job.out, scorer.answer_schema, tally.answers(answers), said)
    with closing(in_order(read, range(filling.parts), REJECTS, interleaved=interleaved)) as rejects:
        write_table(job.rejects, scorer.reject_schema, tally.rejects(rejects), said)
    about, predictor, rows = {"input_digest": plan.input}, pack.predictor, filling.rows
    summary = Summary(about, plan.mapping, plan.settings, predictor.pack, predictor.statement, rows, tally, headers)
    if tally.outcomes.total() != filling.rows:
        counted = tally.outcomes.total()
        raise ArithmeticError(f"{filling.rows} rows in, but {counted} answered, abstained or rejected")
    with written(job.summary) as file:
        file.write(summary.to_json())
    return summary
