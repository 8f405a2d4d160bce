"""A request's body: plain JSON, and never more of it in memory than its cap."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from service.problem import Unanswered, ambiguous_length, too_large, too_slow, unsupported_media_type

MOST_BYTES = 256 * 1024  # one record
MOST_BATCH_BYTES = 5 * 1024 * 1024
SECONDS_TO_SEND = 5.0  # all of it


async def read_body(request: Request, most: int = MOST_BYTES) -> bytes:
    """The body of a request.

    Raises:
        Unanswered: its length is told twice (400), it is not JSON in UTF-8 by its headers (415), is larger than
            ``most`` bytes by its length or as it comes in (413), or is not all there after 5 s (408).
    """
    headers = request.headers
    lengths = headers.getlist("content-length")
    if len(lengths) + len(headers.getlist("transfer-encoding")) > 1:
        raise Unanswered(ambiguous_length())
    if not _is_json(headers.get("content-type", "")) or headers.get("content-encoding", "identity") != "identity":
        raise Unanswered(unsupported_media_type())
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > most:
        raise Unanswered(too_large(most))
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            return await _received(request, most)
    except TimeoutError:
        raise Unanswered(too_slow("body", SECONDS_TO_SEND)) from None


async def _received(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > most:
            raise Unanswered(too_large(most))
        body += chunk
    return bytes(body)


def _is_json(content_type: str) -> bool:
    """Whether it is application/json, with no charset or with UTF-8.

    >>> _is_json("application/json"), _is_json('Application/JSON; charset="UTF-8"'), _is_json("text/json")
    (True, True, False)
    >>> _is_json("application/json; charset=latin-1"), _is_json("application/json, text/html")
    (False, False)
    """
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media_type != "application/json":
        return False
    return all(parameter in ("", "charset=utf-8", 'charset="utf-8"') for parameter in parameters)
