"""A problem document as an answer."""

from __future__ import annotations

from starlette.responses import Response

from service.json_response import PROBLEM_JSON, json_response
from service.problem import ProblemDocument


def problem_response(document: ProblemDocument, request_id: str) -> Response:
    """The answer that says why a request was not answered."""
    content = document.to_json(request_id)
    return json_response(content, status=document.status, media_type=PROBLEM_JSON, headers=document.headers)
