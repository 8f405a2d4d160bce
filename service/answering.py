"""From the bytes of a request to the bytes of its answer, and what is to be recorded of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record
from features.problem import Rejected
from features.record import PatientRecord
from features.strict_json import loads
from model.answer import Abstention, Answer, outcome, render
from model.predictor import Predictor
from service.batch import answer_batch, batch_document, read_batch, rendered
from service.desk import Kept
from service.json_response import json_bytes
from service.metrics.lacking import lacking
from service.whatif import parse_whatif, whatif_document


@dataclass(frozen=True, slots=True)
class Reply:
    """What leaves, and what is recorded of it before."""

    content: bytes
    kept: tuple[Kept, ...]


Replies = Callable[[Predictor, bytes, date], Awaitable[Reply]]
"""How a body is answered, given the day that no visit may be after. Raises `Rejected`."""


def answer_body(predictor: Predictor, body: bytes, *, today: date) -> Answer:
    """The answer to one record as it was sent.

    Raises:
        Rejected: with every problem of the record.
    """
    return predictor.predict(parse_record(loads(body), today=today))


async def reply_to_record(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record: its answer."""
    record = parse_record(loads(body), today=today)
    answer = predictor.predict(record)
    content = json_bytes(render(answer))
    return Reply(content, (_kept(predictor, record, answer, content),))


async def reply_to_batch(predictor: Predictor, body: bytes, today: date) -> Reply:
    """Many records: an answer each, and a record of each."""
    items = read_batch(body)
    answers = await answer_batch(predictor, items, today=today)
    documents = [rendered(item, found) for item, found in zip(items, answers, strict=True)]
    kept = tuple(
        rejection(found, at)
        if isinstance(found, Rejected)
        else _kept(predictor, found.record, found.answer, json_bytes(document), at)
        for at, (found, document) in enumerate(zip(answers, documents, strict=True))
    )
    return Reply(json_bytes(batch_document(documents, predictor.pack, predictor.statement)), kept)


async def reply_to_whatif(predictor: Predictor, body: bytes, today: date) -> Reply:
    """One record and values to try: its answer and the curves."""
    asked = parse_whatif(loads(body), today=today)
    as_it_is = predictor.predict(asked.record)
    content = json_bytes(await whatif_document(predictor, asked, as_it_is))
    return Reply(content, (_kept(predictor, asked.record, as_it_is, content),))


def rejection(error: Rejected, position: int | None = None) -> Kept:
    """What is recorded of a rejection: its codes, never a value."""
    codes = tuple(dict.fromkeys(problem.code for problem in error.problems))
    return Kept("rejected", codes, position=position)


def _kept(
    predictor: Predictor, record: PatientRecord, answer: Answer, content: bytes, position: int | None = None
) -> Kept:
    said = answer.reasons if isinstance(answer, Abstention) else answer.cautions
    codes = tuple(each.code for each in said)
    return Kept(outcome(answer), codes, content, position, answer, lacking(predictor.matrix, record))
