"""What answers a scrape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from service.metrics.metrics import CONTENT_TYPE, Metrics


def metrics_route(metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
    """A handler that answers with the metrics of this worker."""

    async def scrape(_: Request) -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    return scrape
