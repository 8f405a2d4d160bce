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
from service.answered import Answered
from service.batch import answer_batch, batch_document, read_batch, rendered
from service.desk import Kept
from service.json_response import json_bytes
from service.metrics.lacking import lacking
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
    return _answered(predictor, body, today).answer


async def reply_to_record(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record: its answer."""
    answered = _answered(predictor, body, today)
    content = json_bytes(render(answered.answer))
    return Reply(content, (_kept(predictor, answered, content),), (answered,))


async def reply_to_batch(predictor: Predictor, body: bytes, today: date) -> Reply:
    """Many records: an answer each, and a record of each."""
    items = read_batch(body)
    found = await answer_batch(predictor, items, today=today)
    documents = [rendered(item, each) for item, each in zip(items, found, strict=True)]
    kept = tuple(
        rejection(each, at) if isinstance(each, Rejected) else _kept(predictor, each, json_bytes(document), at)
        for at, (each, document) in enumerate(zip(found, documents, strict=True))
    )
    content = json_bytes(batch_document(documents, predictor.pack, predictor.statement))
    return Reply(content, kept, tuple(each for each in found if not isinstance(each, Rejected)))


async def reply_to_whatif(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record and values to try: its answer and the curves."""
    asked = parse_whatif(loads(body), today=today)
    answered = Answered(asked.record, predictor.predict(asked.record))
    content = json_bytes(await whatif_document(predictor, asked, answered.answer))
    return Reply(content, (_kept(predictor, answered, content),))


def rejection(error: Rejected, position: int | None = None) -> Kept:
    """What is recorded of a rejection: its codes, never a value."""
    codes = tuple(dict.fromkeys(problem.code for problem in error.problems))
    return Kept("rejected", codes, position=position)


def _answered(predictor: Predictor, body: bytes, today: date) -> Answered:
    record = parse_record(loads(body), today=today)
    return Answered(record, predictor.predict(record))


def _kept(predictor: Predictor, answered: Answered, content: bytes, position: int | None = None) -> Kept:
    answer = answered.answer
    said = answer.reasons if isinstance(answer, Abstention) else answer.cautions
    codes = tuple(each.code for each in said)
    return Kept(outcome(answer), codes, content, position, answer, lacking(predictor.matrix, answered.record))
