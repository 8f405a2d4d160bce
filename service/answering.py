"""From the bytes of a request to the bytes of its answer, and what is to be recorded of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record
from features.problem import Rejected
from features.strict_json import loads
from model.answer import Abstention, Answer, outcome, render
from model.predictor import Predictor
from service.batch import answer_batch, batch_document, read_batch, rendered
from service.desk import Kept
from service.json_response import json_bytes
from service.shadow import Answered
from service.whatif import parse_whatif, whatif_document


@dataclass(frozen=True, slots=True)
class Reply:
    """What leaves, what is recorded of it before, and the records that a challenger may be asked about after."""

    content: bytes
    kept: tuple[Kept, ...]
    answered: tuple[Answered, ...] = ()


Replies = Callable[[Predictor, bytes, date], Awaitable[Reply]]
"""How a body is answered, given the day that no visit may be after. Raises `Rejected`."""


def answer_body(predictor: Predictor, body: bytes, *, today: date) -> Answer:
    """The answer to one record as it was sent.

    Raises:
        Rejected: with every problem of the record.
    """
    return _answered(predictor, body, today)[1]


async def reply_to_record(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record: its answer."""
    record, answer = _answered(predictor, body, today)
    content = json_bytes(render(answer))
    return Reply(content, (_kept(answer, content),), ((record, answer),))


async def reply_to_batch(predictor: Predictor, body: bytes, today: date) -> Reply:
    """Many records: an answer each, and a record of each."""
    items = read_batch(body)
    found = await answer_batch(predictor, items, today=today)
    answers = [each if isinstance(each, Rejected) else each[1] for each in found]
    documents = [rendered(item, answer) for item, answer in zip(items, answers, strict=True)]
    kept = tuple(
        rejection(answer, at) if isinstance(answer, Rejected) else _kept(answer, json_bytes(document), at)
        for at, (answer, document) in enumerate(zip(answers, documents, strict=True))
    )
    content = json_bytes(batch_document(documents, predictor.pack, predictor.statement))
    return Reply(content, kept, tuple(each for each in found if not isinstance(each, Rejected)))


async def reply_to_whatif(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record and values to try: its answer and the curves."""
    asked = parse_whatif(loads(body), today=today)
    as_it_is = predictor.predict(asked.record)
    content = json_bytes(await whatif_document(predictor, asked, as_it_is))
    return Reply(content, (_kept(as_it_is, content),))


def rejection(error: Rejected, position: int | None = None) -> Kept:
    """What is recorded of a rejection: its codes, never a value."""
    codes = tuple(dict.fromkeys(problem.code for problem in error.problems))
    return Kept("rejected", codes, position=position)


def _answered(predictor: Predictor, body: bytes, today: date) -> Answered:
    record = parse_record(loads(body), today=today)
    return record, predictor.predict(record)


def _kept(answer: Answer, content: bytes, position: int | None = None) -> Kept:
    said = answer.reasons if isinstance(answer, Abstention) else answer.cautions
    return Kept(outcome(answer), tuple(each.code for each in said), content, position)
