"""Many records in one request: each gets its own answer or its own problems, in order; none spoils another."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record, parse_reference
from features.problem import Problem, Rejected, shown
from features.strict_json import loads_with_problems
from model.answer import PackRef, render
from model.predictor import Predictor
from service.answered import Answered
from service.problem import problem_json

MOST_RECORDS = 1000
KEYS = ("records",)
OUTCOMES = ("prediction", "prediction_with_cautions", "abstained", "rejected")
_PLACE = re.compile(r"records\[(\d+)\](?:\.(.*))?", re.DOTALL)
_AT_ONCE = 16  # records between two looks at other requests: a batch must not hold up a single record


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


def answer_item(predictor: Predictor, item: Item, *, today: date) -> Answered | Rejected:
    """One record of a batch and its answer, as it would have been alone; or all of its problems."""
    try:
        record = parse_record(item.value, today=today)
    except Rejected as error:
        return Rejected([*item.problems, *error.every])
    return Rejected(item.problems) if item.problems else Answered(record, predictor.predict(record))


async def answer_batch(predictor: Predictor, items: Sequence[Item], *, today: date) -> list[Answered | Rejected]:
    """All records with their answers, in order; other requests are served meanwhile."""
    answers = []
    for at, item in enumerate(items):
        if at % _AT_ONCE == 0:
            await asyncio.sleep(0)
        answers.append(answer_item(predictor, item, today=today))
    return answers


def rendered(item: Item, found: Answered | Rejected) -> dict[str, object]:
    """The JSON object of one answer: as alone, but for pack and statement, which stand once in a batch."""
    if isinstance(found, Rejected):
        return {
            "outcome": "rejected",
            "reference": parse_reference(item.value),
            "problems": [problem_json(problem) for problem in found.problems],
        }
    return {key: value for key, value in render(found.answer).items() if key not in ("pack", "statement")}


def batch_document(answers: Sequence[Mapping[str, object]], pack: PackRef, statement: str) -> dict[str, object]:
    """The JSON object of a batch: what answered, how many of each outcome, and an answer a record."""
    counts = Counter(str(each["outcome"]) for each in answers)
    return {
        "pack": pack.to_json(),
        "statement": statement,
        "counts": {outcome: counts[outcome] for outcome in OUTCOMES},
        "answers": list(answers),
    }
