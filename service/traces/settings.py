"""The setting of traces: read once, from the environment, into one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.settings import Unusable

VARIABLE = "TREGCAST_OTLP_ENDPOINT"
_RULE = "is not an http or https address without user, password, query and fragment"
_REMEDY = "set the collector's, such as http://127.0.0.1:4318, or unset it for no traces"


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where traces are sent: the base address of a collector that takes OTLP over HTTP."""

    endpoint: str

    @property
    def address(self) -> str:
        """Where its traces go."""
        return self.endpoint.rstrip("/") + "/v1/traces"


def read_trace_settings(environment: Mapping[str, str]) -> TraceSettings | None:
    """The settings of an environment; None where there are no traces.

    Raises:
        Unusable: the address cannot be used. It is not quoted, because it may hold a password.

    >>> read_trace_settings({}) is None
    True
    >>> read_trace_settings({"TREGCAST_OTLP_ENDPOINT": "http://collector:4318/"}).address
    'http://collector:4318/v1/traces'
    >>> read_trace_settings({"TREGCAST_OTLP_ENDPOINT": "http://me:secret@collector"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_OTLP_ENDPOINT is not an http or https address without user, password, \
query and fragment; set the collector's, such as http://127.0.0.1:4318, or unset it for no traces
    """
    said = environment.get(VARIABLE)
    if said is None:
        return None
    if not _is_bare(said):
        raise Unusable(f"{VARIABLE} {_RULE}; {_REMEDY}")
    return TraceSettings(said)


def _is_bare(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port_is_possible = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = address.isascii() and address.isprintable() and not set(address) & set(" ?#\\@")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and port_is_possible
