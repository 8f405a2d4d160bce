"""A request with an ``Idempotency-Key`` is answered once; sent again within a day, it gets the same answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from features.problem import Rejected
from service import log
from service.access.caller import Caller
from service.audit.anchor import parse_anchored
from service.audit.store import AuditUnavailable
from service.audit.trail import Trail
from service.idempotency.seal import KeptAnswer, Names, names_of, seal, unseal
from service.idempotency.store import Claim, Differs, Full, Kept, Store, UnderWay
from service.problem import (
    Unanswered,
    bad_idempotency_key,
    idempotency_key_in_use,
    idempotency_key_reused,
    rejected,
    unavailable,
    unrecorded,
)
from service.problem_response import problem_response

HEADER = b"idempotency-key"
LONGEST = 255  # characters
REPLAYED = {"Idempotent-Replayed": "true"}
SECONDS_TO_WAIT, SECONDS_BETWEEN = 2.0, 0.05  # for the same request that is being answered
SECONDS_TO_RETRY_IN_USE, SECONDS_TO_RETRY_FULL, SECONDS_TO_RETRY = 1, 600, 5
_KEY = re.compile(rb"[!-~](?:[ -~]{0,253}[!-~])?")  # printable ASCII
Result = TypeVar("Result")


def idempotency_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key of a request; with quotation marks around it, as the draft standard writes it, or without.

    Raises:
        Unanswered: 400, it is empty, too long or not printable ASCII.

    >>> idempotency_key([(b"idempotency-key", b'"8e03978e"')]), idempotency_key([])
    (b'8e03978e', None)
    >>> idempotency_key([(b"idempotency-key", b"")])
    Traceback (most recent call last):
    service.problem.Unanswered: bad_idempotency_key
    """
    for name, value in headers:
        if name == HEADER:
            key = value.strip()
            if len(key) > 1 and key.startswith(b'"') and key.endswith(b'"'):
                key = key[1:-1]
            if not _KEY.fullmatch(key):
                raise Unanswered(bad_idempotency_key(LONGEST))
            return key
    return None


class Once:
    """Of one worker. The audit trail gives a secret, so that the file alone tells even less, and has the last word:
    an answer that it does not hold any more is not repeated."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store = store
        self._trail = trail
        self._secret = trail.digest(b"idempotency").encode("utf-8")
        self._thread = ThreadPoolExecutor(1, "idempotency keys")  # no request waits for another one's disk
        self._works = True

    async def answer(
        self, request: Request, caller: Caller, body: bytes, reply: Callable[[], Awaitable[Response]]
    ) -> Response:
        """The answer to a request: what ``reply`` says, or what it said when it was sent before.

        Raises:
            Unanswered: 400, its key is none; 409, the same is still being answered; 422, the key was sent with
                another request; 503, keys cannot be looked up.
        """
        key = idempotency_key(request.scope["headers"])
        if key is None:
            return await reply()
        asked = b"%b?%b\n%b" % (request.url.path.encode(), request.scope["query_string"], body)
        salt = hashlib.sha256(await self._ask(lambda: self._store.salt) + self._secret).digest()
        names = names_of(salt, f"{caller.kind}:{caller.id}", key, asked)
        found = await self._claimed(names)
        while isinstance(found, Kept):
            sealed, answer = found.sealed, unseal(names, found.sealed)
            if await self._is_recorded(answer):
                return self._repeated(request, answer)
            await self._ask(partial(self._store.forget, names, sealed))  # its record is lost: it is answered anew
            found = await self._claimed(names)
        return await self._answered(request, names, found, reply)

    def close(self) -> None:
        """Finish what is under way, and let go of the store."""
        self._thread.shutdown()
        self._store.close()

    async def _is_recorded(self, answer: KeptAnswer) -> bool:
        """Whether the audit trail still holds what left; a trail that was off when it left holds nothing of it."""
        head = (
            None if answer.head is None else parse_anchored("an answer that is kept", answer.head.encode("ascii"))
        )
        if head is None:
            return not self._trail.on
        try:
            return await self._trail.holds(head)
        except AuditUnavailable:
            raise Unanswered(unrecorded()) from None

    async def _claimed(self, names: Names) -> Claim | Kept:
        until = time.monotonic() + SECONDS_TO_WAIT
        while True:
            found = await self._ask(lambda: self._store.claim(names, time.time()))
            if isinstance(found, Differs):
                raise Unanswered(idempotency_key_reused())
            if not isinstance(found, UnderWay):
                return found
            if time.monotonic() > until:
                raise Unanswered(idempotency_key_in_use(SECONDS_TO_RETRY_IN_USE))
            await asyncio.sleep(SECONDS_BETWEEN)

    async def _ask(self, work: Callable[[], Result]) -> Result:
        try:
            found = await self._run(work)
        except Full:
            reason = "cannot remember more idempotency keys"
            raise Unanswered(unavailable(reason, SECONDS_TO_RETRY_FULL)) from None
        except sqlite3.Error as error:
            self._failed(error)
            reason = "cannot look up idempotency keys at the moment"
            raise Unanswered(unavailable(reason, SECONDS_TO_RETRY)) from None
        self._works = True
        return found

    async def _answered(
        self, request: Request, names: Names, claim: Claim, reply: Callable[[], Awaitable[Response]]
    ) -> Response:
        try:
            response = await reply()
        except Rejected as error:
            response = problem_response(rejected(error), request.state.request_id)
        except BaseException:  # not answered: 5xx, or the caller is gone
            self._thread.submit(self._store.give_up, names, claim)
            raise
        outcome: str | None = getattr(request.state, "outcome", None)
        head = None if (known := self._trail.head) is None else known.line().decode("ascii")
        media_type = response.headers["content-type"]
        answer = KeptAnswer(response.status_code, media_type, outcome, bytes(response.body), head)
        try:
            await self._run(lambda: self._store.keep(names, claim, seal(names, answer)))
        except sqlite3.Error as error:
            self._failed(error)  # it is recorded, so it leaves; sent again, it is answered anew
        return response

    def _repeated(self, request: Request, answer: KeptAnswer) -> Response:
        request.state.repeated = True
        if answer.outcome is not None:
            request.state.outcome = answer.outcome
        response = Response(answer.content, answer.status, REPLAYED)
        response.headers["content-type"] = answer.media_type
        return response

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _failed(self, error: sqlite3.Error) -> None:
        """Say in the log that the store fails, once."""
        if self._works:
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            log.write(logging.ERROR, "idempotency_unavailable", exception=code)
        self._works = False
