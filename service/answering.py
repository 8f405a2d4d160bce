"""From the bytes of a request to the bytes of its answer, and what is to be recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from features.parse import parse_record
from features.problem import Rejected
from features.strict_json import loads
from model.answer import Abstention, Answer, Explain, outcome, render
from model.predictor import Predictor
from service.answered import Answered
from service.batch import AT_ONCE, Read, answer_all, answered_json, batch_json, read_batch, read_item, rejected_json
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


Replies = Callable[[Predictor, bytes, date, Explain], Awaitable[Reply]]
"""How a body is answered, given the day that no visit may be after and what is explained. Raises `Rejected`."""


def answer_body(predictor: Predictor, body: bytes, *, today: date) -> Answer:
    """The answer to one record as it was sent.

    Raises:
        Rejected: with every problem of the record.
    """
    return _answered(predictor, body, today).answer


async def reply_to_record(predictor: Predictor, body: bytes, today: date, explain: Explain) -> Reply:
    """One record: its answer."""
    answered = _answered(predictor, body, today)
    content = json_bytes(render(answered.answer, explain))
    return Reply(content, (_kept(predictor, answered, content),), (answered,))


async def reply_to_batch(predictor: Predictor, body: bytes, today: date, explain: Explain) -> Reply:
    """Many records: an answer each, and a record of each; others are served meanwhile."""
    items = read_batch(body)
    said: list[Said] = []
    for start in range(0, len(items), AT_ONCE):
        await asyncio.sleep(0)
        read = [read_item(item, today=today) for item in items[start : start + AT_ONCE]]
        said += say(predictor, read, start, partial(_in_batch, explain=explain))
    content = batch_json(
        [each.content for each in said],
        [each.kept.outcome for each in said],
        predictor.pack,
        predictor.statement,
    )
    answered = tuple(each.answered for each in said if each.answered is not None)
    return Reply(content, tuple(each.kept for each in said), answered)


async def reply_to_whatif(predictor: Predictor, body: bytes, today: date, explain: Explain) -> Reply:
    """One record and values to try: its answer and the curves."""
    asked = parse_whatif(loads(body), today=today)
    answered = Answered(asked.record, predictor.predict(asked.record))
    content = json_bytes(await whatif_document(predictor, asked, answered.answer, explain))
    return Reply(content, (_kept(predictor, answered, content),))


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of many: its JSON, what is recorded of it, and the record where it was understood."""

    content: bytes
    kept: Kept
    answered: Answered | None


Rendering = Callable[[Read, Answered | Rejected, int], Mapping[str, object]]
"""How a record of many, its answer or problems, and its position become a JSON object."""


def say(predictor: Predictor, read: Sequence[Read], first: int, rendering: Rendering) -> list[Said]:
    """The answers to some of many records, of which the first has this position."""
    said = []
    for at, (each, found) in enumerate(zip(read, answer_all(predictor, read), strict=True), first):
        content = json_bytes(rendering(each, found, at))
        if isinstance(found, Rejected):
            said.append(Said(content, rejection(found, at), None))
        else:
            said.append(Said(content, _kept(predictor, found, content, at), found))
    return said


def _in_batch(read: Read, found: Answered | Rejected, _: int, explain: Explain) -> Mapping[str, object]:
    return rejected_json(read, found) if isinstance(found, Rejected) else answered_json(found.answer, explain)


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
