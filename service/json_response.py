"""JSON as it leaves the service: rendered here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson
from starlette.responses import Response

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NDJSON = "application/x-ndjson"
SCHEMA_JSON = "application/schema+json"


def json_bytes(value: object) -> bytes:
    """Compact UTF-8 JSON; floats as their shortest exact text, so that what is read back is the same number.

    Numbers are finite: `model.predictor` answers with no others, and nothing else that is sent computes any.

    >>> json_bytes({"rate": 0.1 + 0.2, "unit": "points/month"})
    b'{"rate":0.30000000000000004,"unit":"points/month"}'

    Half of a surrogate pair, which a caller may have sent and a problem then quotes, has no UTF-8: it becomes "?".
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a surrogate, or else it fails again
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace")


def json_response(
    value: object, *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """A response that holds ``value`` as JSON."""
    return Response(json_bytes(value), status, dict(headers or {}), media_type)
