"""Many records in one request: each gets its own answer or its own problems, in order; none spoils another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record, parse_reference
from features.problem import Problem, Rejected, shown
from features.record import PatientRecord
from features.strict_json import loads, loads_with_problems
from model.answer import Answer, Explain, PackRef, render
from model.predictor import Predictor
from service.answered import Answered
from service.body import MOST_BYTES
from service.json_response import json_bytes
from service.problem import problem_json

MOST_RECORDS = 1000
MOST_ROWS = 100_000  # of a stream
KEYS = ("records",)
OUTCOMES = ("prediction", "prediction_with_cautions", "abstained", "rejected")
_PLACE = re.compile(r"records\[(\d+)\](?:\.(.*))?", re.DOTALL)
AT_ONCE = 32  # records between two looks at other requests: a batch must not hold up a single record


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a batch as it was sent, and what the JSON itself is blamed for in it."""

    value: object
    problems: tuple[Problem, ...]


def read_batch(body: bytes) -> tuple[Item, ...]:
    """The records of a body ``{"records": [...]}``.

    Raises:
        Rejected: the body is not JSON, or not such an object with 1 to 1,000 records.

    >>> [item.problems[0].field if item.problems else item.value
    ...  for item in read_batch(b'{"records": [{"sex": "female"}, {"a": 1, "a": 2}]}')]
    [{'sex': 'female'}, 'a']
    """
    value, problems = loads_with_problems(body)
    records = _records(value)
    own: list[list[Problem]] = [[] for _ in records]
    of_the_body = []
    for problem in problems:
        place = _PLACE.fullmatch(problem.field)
        if place is None:
            of_the_body.append(problem)
        else:
            field = place[2] or "record"
            own[int(place[1])].append(Problem(problem.code, field, problem.value, problem.rule, problem.remedy))
    if of_the_body:
        raise Rejected(of_the_body)
    return tuple(Item(record, tuple(found)) for record, found in zip(records, own, strict=True))


def _records(value: object) -> Sequence[object]:
    if not isinstance(value, dict):
        raise Rejected([Problem("wrong_type", "body", shown(value), "is not an object", 'send {"records": [...]}')])
    problems = [
        Problem("unknown_key", key[:80], None, "is not a key here", "the only key is records")
        for key in value
        if key not in KEYS
    ]
    records = value.get("records")
    if "records" not in value:
        problems.append(Problem("missing_key", "records", None, "is required", "send a list of records"))
    elif not isinstance(records, list):
        problems.append(Problem("wrong_type", "records", shown(records), "is not a list", "send a list of records"))
    elif not records:
        problems.append(Problem("empty_batch", "records", None, "is empty", "send at least one record"))
    elif len(records) > MOST_RECORDS:
        rule = f"holds more than {MOST_RECORDS} records"
        problems.append(Problem("too_many", "records", str(len(records)), rule, "send several requests"))
    if problems or not isinstance(records, list):
        raise Rejected(problems)
    return records


@dataclass(frozen=True, slots=True)
class Read:
    """A record of many as it was understood, or all of its problems; and the caller's own reference."""

    reference: str | None
    record: PatientRecord | Rejected


def read_item(item: Item, *, today: date) -> Read:
    """One record of a batch."""
    reference = parse_reference(item.value)
    try:
        record = parse_record(item.value, today=today)
    except Rejected as error:
        return Read(reference, Rejected([*item.problems, *error.every]))
    return Read(reference, Rejected(item.problems) if item.problems else record)


def read_line(line: bytes, *, today: date) -> Read:
    """One line of NDJSON, read as the body of ``/v1/predict`` is.

    >>> read_line(b'{"reference": "A-1", "visits": []}', today=date(2026, 1, 1)).reference
    'A-1'
    """
    reference = None
    try:
        if len(line) > MOST_BYTES:
            rule, remedy = f"is longer than {MOST_BYTES} bytes", "send the most recent visits"
            raise Rejected([Problem("too_large", "record", None, rule, remedy)])
        value = loads(line)
        reference = parse_reference(value)
        return Read(reference, parse_record(value, today=today))
    except Rejected as error:
        return Read(reference, error)


def answer_all(predictor: Predictor, read: Sequence[Read]) -> list[Answered | Rejected]:
    """Records with their answers, in order, each as it would have been answered alone; or their problems."""
    records = [each.record for each in read if not isinstance(each.record, Rejected)]
    answers = iter(predictor.predict_many(records))
    return [
        each.record if isinstance(each.record, Rejected) else Answered(each.record, next(answers)) for each in read
    ]


def rejected_json(read: Read, error: Rejected) -> dict[str, object]:
    """The JSON object of a record of many that is not valid."""
    return {
        "outcome": "rejected",
        "reference": read.reference,
        "problems": [problem_json(problem) for problem in error.problems],
    }


def answered_json(answer: Answer, explain: Explain) -> dict[str, object]:
    """The JSON object of an answer: as alone, but for pack and statement, which stand once in a batch."""
    return {key: value for key, value in render(answer, explain).items() if key not in ("pack", "statement")}


def counts_json(outcomes: Iterable[str]) -> dict[str, int]:
    """How many of each outcome."""
    counts = Counter(outcomes)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def batch_json(answers: Sequence[bytes], outcomes: Iterable[str], pack: PackRef, statement: str) -> bytes:
    """The JSON of a batch: what answered, how many of each outcome, and an answer a record, as it was rendered.

    >>> batch_json([b'{"outcome":"abstained"}'], ["abstained"], PackRef("0", "als", "tregcast"), "")[-50:]
    b'"rejected":0},"answers":[{"outcome":"abstained"}]}'
    """
    head = {"pack": pack.to_json(), "statement": statement, "counts": counts_json(outcomes)}
    return b"".join((json_bytes(head)[:-1], b',"answers":[', b",".join(answers), b"]}"))
