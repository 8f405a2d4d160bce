"""What the service needs of traces, and what there is where they are off: nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from starlette.types import Scope

from service.settings import Unusable
from service.traces.settings import VARIABLE, TraceSettings

EXTRA = "tregcast[otlp]"
_NOTHING = nullcontext()


class Traces(Protocol):
    """The traces of one worker. Nothing that a caller sent is in them but the ids of its own trace."""

    def begin(self, scope: Scope) -> None:
        """Begin the span of a request."""

    def part(self, scope: Scope, name: str) -> AbstractContextManager[None]:
        """The span of a part of it, which lasts as long as the block."""

    def end(self, scope: Scope, method: str, route: str, status: int) -> None:
        """End the span of a request: it has a known method, a route template, a status, an outcome and a pack."""

    def close(self) -> None:
        """Send what waits, for two seconds at most."""


class NoTraces:
    """No traces."""

    def begin(self, scope: Scope) -> None:
        """Do nothing."""

    def part(self, scope: Scope, name: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """A block of nothing."""
        return _NOTHING

    def end(self, scope: Scope, method: str, route: str, status: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_traces(settings: TraceSettings | None, *, version: str) -> Traces:
    """The traces of these settings; nothing of OpenTelemetry is imported where there are none.

    Raises:
        Unusable: what sends them is not installed.
    """
    if settings is None:
        return NoTraces()
    try:
        from service.traces.otlp import OtlpTraces
    except ModuleNotFoundError as error:
        remedy = f"pip install '{EXTRA}', or unset it"
        raise Unusable(f"{VARIABLE} needs {error.name}, which is not installed; {remedy}") from None
    return OtlpTraces(settings.address, version=version)
