"""What is deprecated says so in every answer: ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594), and what to use.

What may be deprecated, and for how long it goes on, is in ``docs/api-policy.md``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
SHORTEST = timedelta(days=365)  # from the first answer that says so to the last that is given


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when a route should not be used, when it ends, and the address of what is to be used in its place.

    Raises:
        ValueError: there is less than a year between the two.

    >>> Deprecation(date(2027, 1, 1), date(2028, 1, 1), "/docs").headers["Deprecation"]
    '@1798761600'
    >>> Deprecation(date(2027, 1, 1), date(2028, 1, 1), "/docs").headers["Sunset"]
    'Sat, 01 Jan 2028 00:00:00 GMT'
    """

    since: date
    sunset: date
    link: str

    def __post_init__(self) -> None:
        if self.sunset - self.since < SHORTEST:
            raise ValueError(f"sunset = {self.sunset} is less than a year after {self.since}; give a later day")

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of an answer."""
        since, sunset = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.since, self.sunset))
        return {
            "Deprecation": f"@{int(since.timestamp())}",
            "Sunset": format_datetime(sunset, usegmt=True),
            "Link": f'<{self.link}>; rel="deprecation"; type="text/html"',
        }


DEPRECATED: Mapping[str, Deprecation] = {}
"""By path. Nothing is deprecated now."""


def saying_so(handler: Handler, deprecation: Deprecation | None) -> Handler:
    """The same handler, whose answers say that it is deprecated, where it is."""
    if deprecation is None:
        return handler

    async def answer(request: Request) -> Response:
        response = await handler(request)
        response.headers.update(deprecation.headers)
        return response

    return answer
