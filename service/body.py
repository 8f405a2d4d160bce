"""A request's body: plain JSON, and never more of it in memory than its cap."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from service.json_response import JSON
from service.problem import Unanswered, ambiguous_length, too_large, too_slow, unsupported_media_type

MOST_BYTES = 256 * 1024  # one record
MOST_BATCH_BYTES = 5 * 1024 * 1024
SECONDS_TO_SEND = 5.0  # all of it


async def read_body(request: Request, most: int = MOST_BYTES, *others: str) -> bytes:
    """The body of a request, which is JSON; ``others`` are the media types that its route takes elsewhere.

    Raises:
        Unanswered: its length is told twice (400), it is not JSON in UTF-8 by its headers (415), is larger than
            ``most`` bytes by its length or as it comes in (413), or is not all there after 5 s (408).
    """
    check_head(request, JSON, *others)
    headers = request.headers
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > most:
        raise Unanswered(too_large(most))
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            return await _received(request, most)
    except TimeoutError:
        raise Unanswered(too_slow("body", SECONDS_TO_SEND)) from None


def check_head(request: Request, *media_types: str) -> str:
    """The media type of a body, which is one of these.

    Raises:
        Unanswered: its length is told twice (400), or it is not, by its headers, of such a type in UTF-8 (415).
    """
    headers = request.headers
    lengths = headers.getlist("content-length")
    if len(lengths) + len(headers.getlist("transfer-encoding")) > 1:
        raise Unanswered(ambiguous_length())
    media_type = media_type_of(headers.get("content-type", ""))
    if media_type not in media_types or headers.get("content-encoding", "identity") != "identity":
        raise Unanswered(unsupported_media_type(*media_types))
    return media_type


async def _received(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > most:
            raise Unanswered(too_large(most))
        body += chunk
    return bytes(body)


def media_type_of(content_type: str) -> str | None:
    """The media type of a body with no charset or with UTF-8; None for anything else.

    >>> media_type_of("application/json"), media_type_of('Application/JSON; charset="UTF-8"')
    ('application/json', 'application/json')
    >>> media_type_of("application/json; charset=latin-1"), media_type_of("application/json, text/html")
    (None, 'application/json, text/html')
    """
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    plain = all(parameter in ("", "charset=utf-8", 'charset="utf-8"') for parameter in parameters)
    return media_type if plain else None
