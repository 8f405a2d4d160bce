"""The routes by which inputs are answered, and what each says in one shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from cli import main
from model.answer import NUMBERS
from model.pack import Pack
from scoring.runs.run import Job, run
from scoring.summary import Summary
from tests.corpus.cases import Found, cases
from tests.scoring.single_way import as_columns


def of_answer(answer: Mapping[str, Any]) -> Found:
    """An answer as over HTTP, or the problems of a rejection."""
    if answer["outcome"] == "rejected":
        problems = answer["problems"]
        return Found("rejected", frozenset(each["code"] for each in problems), text=words_of(problems))
    said = as_columns(dict(answer))
    numbers = tuple(float(said[name]) for name in NUMBERS if name in said)  # type: ignore[arg-type]
    told = words_of(answer.get("reasons", answer.get("cautions")))
    return Found(str(said["outcome"]), frozenset(str(said["reasons"]).split()), numbers, told)


def words_of(told: object) -> str:
    """All texts of problems, reasons or cautions, a line each."""
    if isinstance(told, Mapping):
        return words_of(list(told.values()))
    return "\n".join(map(words_of, told)) if isinstance(told, list | tuple) else str(told)


def of_row(row: Mapping[str, Any]) -> Found:
    """A row of the file of answers, or of that of rejects."""
    if row.get("codes") is not None:
        return Found("rejected", frozenset(row["codes"].split()), text=row["problems"])
    numbers = () if row["outcome"] == "abstained" else tuple(row[name] for name in NUMBERS)
    return Found(row["outcome"], frozenset((row["reasons"] or "").split()), numbers)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[int, Found]:
    """By the number of the row, what was said of it."""
    return {row["row"]: of_row(row) for row in rows}


def command(source: Path, pack: Path, *more: object) -> tuple[Result, list[dict[str, Any]]]:
    """``tregcast score``: how it ended, and the rows that it placed."""
    out, rejects = source.with_name("answers.parquet"), source.with_name("rejects.parquet")
    told = ["score", source, out, "--pack", pack, "--rejects", rejects, *more]
    result = CliRunner().invoke(main, [str(word) for word in told], catch_exceptions=False)
    placed = [path for path in (out, rejects) if path.exists()]
    return result, [row for path in placed for row in pq.read_table(path).to_pylist()]


def scored(source: Path, pack: Path) -> list[dict[str, Any]]:
    """The rows that ``tregcast score`` places."""
    result, rows = command(source, pack)
    assert result.exit_code in (0, 3), result.output
    return rows


TODAY = datetime.now(UTC).date()
RECORDS = cases("records")
Answers = dict[str, Found]
Rows = dict[int, Found]


def by_case(answers: Iterable[Mapping[str, Any]]) -> Answers:
    return {str(case): of_answer(answer) for case, answer in zip(RECORDS, answers, strict=True)}


def score(source: Path, mapping: Path | None, pack: Pack, *, strict: bool = False) -> tuple[Rows, Summary]:
    """A run on this machine: what was placed, by the number of the row."""
    places = [source.with_name(f"{name}.parquet") for name in ("answers", "rejects")]
    summary = source.with_name("summary.json")
    told = run(
        Job(source, *places, summary, mapping, "none", 0.9, TODAY.isoformat(), strict=strict, overwrite=True), pack
    )
    return of_rows(row for place in places for row in pq.read_table(place).to_pylist()), told
