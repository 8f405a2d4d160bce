"""NDJSON on ``/v1/predict/batch``: a record a line comes in, an answer a line leaves, as they come.

Memory is bounded: a worker holds one piece of what comes in, the lines of it that are being answered, and no more
than the network's buffers of what leaves. A client that does not read is not read from.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from features.problem import Problem, Rejected
from features.today import latest_date
from model.answer import Explain, render
from service.access.caller import Caller
from service.answered import Answered
from service.answering import Said, rejection, say
from service.batch import AT_ONCE, MOST_ROWS, Read, counts_json, read_line, rejected_json
from service.body import MOST_BYTES
from service.desk import Desk
from service.json_response import NDJSON, json_bytes
from service.lines import Lines
from service.problem import ProblemDocument, Unanswered, too_many_records, too_slow

SECONDS_TO_SEND = 30.0  # from one line to the next
END = "end"  # the outcome of the last line
HEADERS = {"X-Accel-Buffering": "no"}  # a proxy passes each line on


class RecordStream(Response):
    """ASGI: the answer to a body of lines, from the pack that was in use when it began.

    What ends it before its end is said in its last line, or, where nothing has left yet, by a problem document.
    """

    def __init__(self, desk: Desk, request: Request, caller: Caller, explain: Explain) -> None:
        super().__init__(media_type=NDJSON, headers=HEADERS)
        del self.headers["content-length"]  # nobody knows it yet
        self._desk, self._request, self._caller, self._explain = desk, request, caller, explain
        self._predictor = desk.held.current.pack.predictor
        self._outcomes: Counter[str] = Counter()
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer line by line.

        Raises:
            Unanswered: before anything has left: the first line did not come in time, or cannot be recorded.
            Rejected: there is no line.
            ClientDisconnect: nobody is there any more.
        """
        del scope
        problem: ProblemDocument | None = None
        try:
            async for lines in self._groups(receive):
                await self._answer(lines, send)
            if not self._outcomes:
                await self._refuse_empty()
        except Unanswered as error:
            if not self._begun:
                raise
            problem = error.document
        await self._send(json_bytes(self._last(problem)) + b"\n", send, more=False)

    async def _groups(self, receive: Receive) -> AsyncIterator[Sequence[bytes]]:
        """What comes in, some lines at a time."""
        lines, clock = Lines(MOST_BYTES), asyncio.get_running_loop().time
        more, until = True, clock() + SECONDS_TO_SEND
        while more:
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise Unanswered(too_slow("next line", SECONDS_TO_SEND)) from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            found = list(lines.feed(message.get("body", b"")))
            if not more:
                found += lines.end()
            for start in range(0, len(found), AT_ONCE):
                yield found[start : start + AT_ONCE]
            if found:
                until = clock() + SECONDS_TO_SEND

    async def _answer(self, lines: Sequence[bytes], send: Send) -> None:
        """Answer some lines, record it, and send it; and let others be served."""
        first = self._outcomes.total()
        if first + len(lines) > MOST_ROWS:
            raise Unanswered(too_many_records(MOST_ROWS))
        today = latest_date(datetime.now(UTC))
        said = say(self._predictor, [read_line(line, today=today) for line in lines], first, self._rendering)
        kept = [replace(each.kept, sent=line) for each, line in zip(said, lines, strict=True)]
        await self._desk.keep(self._request, self._caller, self._predictor.pack.id, b"", kept)
        self._outcomes.update(each.outcome for each in kept)
        self._request.state.outcome = next(iter(self._outcomes)) if len(self._outcomes) == 1 else "mixed"
        await self._send(b"".join(each.content + b"\n" for each in said), send)
        await self._shadowed(said)
        await asyncio.sleep(0)

    def _rendering(self, read: Read, found: Answered | Rejected, at: int) -> Mapping[str, object]:
        if isinstance(found, Rejected):
            return {"row": at + 1, **rejected_json(read, found)}
        return {"row": at + 1, **render(found.answer, self._explain)}

    async def _shadowed(self, said: Sequence[Said]) -> None:
        if self._desk.shadow is not None:
            await self._desk.shadow.take([each.answered for each in said if each.answered is not None])

    async def _refuse_empty(self) -> None:
        error = Rejected([Problem("empty_batch", "body", None, "holds no record", "send a line for each record")])
        await self._desk.keep(self._request, self._caller, self._predictor.pack.id, b"", [rejection(error)])
        raise error

    async def _send(self, content: bytes, send: Send, *, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": content, "more_body": more})

    def _last(self, problem: ProblemDocument | None) -> dict[str, object]:
        """The last line: whether all that was sent is answered, or why not, and what has left."""
        request_id = self._request.state.request_id
        return {
            "outcome": END,
            "complete": problem is None,
            "rows": self._outcomes.total(),
            "counts": counts_json(self._outcomes.elements()),
            "pack": self._predictor.pack.to_json(),
            "problem": None if problem is None else problem.to_json(request_id),
        }
