"""Problem documents (RFC 9457): the one shape of every answer that is not 2xx, on every path.

The ``type`` is ``urn:tregcast:problem:`` and a code; ``problems`` lists each reason with field, value, rule and
remedy; ``instance`` is the id of the request, as in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from features.problem import Problem, Rejected

URN = "urn:tregcast:problem:"
REQUEST_URN = "urn:tregcast:request:"
SECONDS_TO_RETRY = 5  # where something that the service needs is not there
CLOSE = {"Connection": "close"}  # what follows on the connection cannot be told from the rest of this request
REALM = 'Bearer realm="tregcast"'  # what WWW-Authenticate says, and never why


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """Why a request was not answered."""

    code: str
    status: int
    title: str
    detail: str
    problems: tuple[Problem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, request_id: str) -> dict[str, object]:
        """The document, as a JSON object."""
        return {
            "type": URN + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": REQUEST_URN + request_id,
            "problems": [problem_json(problem) for problem in self.problems],
        }


class Unanswered(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, document: ProblemDocument) -> None:
        self.document = document
        super().__init__(document.code)


def problem_json(problem: Problem) -> dict[str, object]:
    """One reason as it stands in a document."""
    return {
        "code": problem.code,
        "field": problem.field,
        "value": problem.value,
        "rule": problem.rule,
        "remedy": problem.remedy,
        "message": str(problem),
    }


def rejected(error: Rejected) -> ProblemDocument:
    """A body that is not JSON (400), or JSON that is not a valid record (422), with all of its problems."""
    if any(problem.code == "malformed_json" for problem in error.problems):
        title, detail = "The body is not JSON", "The body could not be read as JSON; nothing was computed."
        return ProblemDocument("malformed_json", 400, title, detail, error.problems)
    count = len(error.problems)
    detail = f"The record has {count} problem{'' if count == 1 else 's'}; nothing was computed."
    return ProblemDocument("rejected", 422, "The record is rejected", detail, error.problems)


def bad_query(problems: Sequence[Problem]) -> ProblemDocument:
    """A query that the route does not know."""
    detail = "The query has parameters or values that this route does not know; nothing was computed."
    return ProblemDocument("bad_query", 400, "The query is refused", detail, Rejected(problems).problems)


def unsupported_media_type(*media_types: str) -> ProblemDocument:
    """A body that does not say that it is of one of these types, in UTF-8, as it is."""
    types = " or ".join(media_types)
    rule = f"is not {types} in UTF-8, or the body is compressed"
    problem = Problem("unsupported_media_type", "content-type", None, rule, f"send content-type: {types}")
    detail = f"This route takes {types}, uncompressed."
    headers = {"Accept": ", ".join(media_types)}
    return ProblemDocument("unsupported_media_type", 415, "Unsupported media type", detail, (problem,), headers)


def too_large(most: int) -> ProblemDocument:
    """A body of more than ``most`` bytes."""
    rule, remedy = (
        f"is larger than {most // 1024} KiB",
        "send less at a time: the most recent visits, fewer records",
    )
    problem = Problem("too_large", "body", None, rule, remedy)
    detail = f"This route takes at most {most // 1024} KiB."
    return ProblemDocument("too_large", 413, "The body is too large", detail, (problem,), CLOSE)


def too_many_records(most: int) -> ProblemDocument:
    """A stream of more than ``most`` records."""
    rule, remedy = f"holds more than {most} records", "send the rest in another stream"
    problem = Problem("too_many", "body", None, rule, remedy)
    detail = f"A stream has at most {most} records."
    return ProblemDocument("too_large", 413, "The body is too large", detail, (problem,), CLOSE)


def ambiguous_length() -> ProblemDocument:
    """A body whose length is told twice: what one server takes for its end, another may not."""
    rule, remedy = "is told more than once", "send either content-length, once, or transfer-encoding: chunked"
    problem = Problem("ambiguous_length", "content-length", None, rule, remedy)
    return ProblemDocument("ambiguous_length", 400, "Ambiguous length", "The body was not read.", (problem,), CLOSE)


def too_slow(part: str, seconds: float) -> ProblemDocument:
    """A head or a body that did not arrive in time."""
    rule = f"did not arrive within {seconds:g} s"
    problem = Problem("too_slow", part, None, rule, "send it without pauses")
    return ProblemDocument("too_slow", 408, "Too slow", f"The {part} {rule}.", (problem,), CLOSE)


def head_too_large(most: int) -> ProblemDocument:
    """A request line and headers of more than ``most`` bytes."""
    rule = f"is larger than {most // 1024} KiB"
    problem = Problem("head_too_large", "head", None, rule, "send fewer and shorter headers")
    detail = f"Request line and headers have at most {most // 1024} KiB."
    return ProblemDocument("head_too_large", 431, "The head is too large", detail, (problem,), CLOSE)


def not_http() -> ProblemDocument:
    """Bytes that are no HTTP request."""
    problem = Problem("not_http", "request", None, "is not an HTTP/1.1 request", "send one")
    return ProblemDocument("not_http", 400, "Not an HTTP request", "Nothing was read.", (problem,), CLOSE)


def incomplete(part: str) -> ProblemDocument:
    """A head or a body whose end never came: its sender said that it sends no more."""
    rule = "ended before it was complete"
    problem = Problem("incomplete", part, None, rule, "send all of it, and as many bytes as content-length says")
    detail = f"The {part} {rule}; nothing was computed."
    return ProblemDocument("incomplete", 400, "The request is incomplete", detail, (problem,), CLOSE)


def missing_host() -> ProblemDocument:
    """A request that does not say which host it asks."""
    remedy = "send the header Host, once, with the name of this service"
    problem = Problem("missing_host", "host", None, "is missing or empty", remedy)
    detail = "Every request says which host it asks."
    return ProblemDocument("missing_host", 400, "No host", detail, (problem,), CLOSE)


def host_not_allowed() -> ProblemDocument:
    """A host that this service is not: a name that somebody else pointed here, or one that the settings lack."""
    rule = "is not a host that this service answers for"
    remedy = "ask by a name of this service, or let whoever runs it add this one to TREGCAST_ALLOWED_HOSTS"
    problem = Problem("host_not_allowed", "host", None, rule, remedy)
    detail = "This service answers for its own names only."
    return ProblemDocument("host_not_allowed", 400, "Host not allowed", detail, (problem,), CLOSE)


def bad_target() -> ProblemDocument:
    """A request target in absolute form that is another service's."""
    rule = "is not an address of this service, or not that of the header Host"
    problem = Problem("bad_target", "target", None, rule, "send the path alone; this is no proxy")
    detail = "The target of the request is not this service."
    return ProblemDocument("bad_target", 400, "Not an address of this service", detail, (problem,), CLOSE)


def repeated_header(name: str) -> ProblemDocument:
    """A header of which there may be one, twice."""
    problem = Problem("repeated_header", name, None, "is there more than once", "send it once")
    detail = "Of this header there may be one; which of two was meant is not guessed."
    return ProblemDocument("repeated_header", 400, "A header is repeated", detail, (problem,), CLOSE)


def unsupported_transfer_encoding() -> ProblemDocument:
    """A body in a transfer coding other than chunked."""
    rule, remedy = "is not chunked", "send transfer-encoding: chunked, or content-length"
    problem = Problem("unsupported_transfer_encoding", "transfer-encoding", None, rule, remedy)
    title, detail = "Unsupported transfer encoding", "The body was not read."
    return ProblemDocument("unsupported_transfer_encoding", 501, title, detail, (problem,), CLOSE)


def unsupported_expectation() -> ProblemDocument:
    """An expectation other than that of being told to go on."""
    rule, remedy = "is not 100-continue", "send expect: 100-continue, or leave it out"
    problem = Problem("unsupported_expectation", "expect", None, rule, remedy)
    detail = "The body was not read."
    return ProblemDocument("unsupported_expectation", 417, "Unsupported expectation", detail, (problem,), CLOSE)


def bad_idempotency_key(most: int) -> ProblemDocument:
    """A key that could not be kept apart from others, or is none."""
    rule = f"is not 1 to {most} printable ASCII characters"
    problem = Problem("bad_idempotency_key", "idempotency-key", None, rule, "send a new UUID with each new request")
    detail = "Nothing was computed."
    return ProblemDocument("bad_idempotency_key", 400, "The idempotency key is not valid", detail, (problem,))


def idempotency_key_of_a_stream() -> ProblemDocument:
    """A key beside lines that are answered one by one, of which no answer could be repeated as a whole."""
    rule, remedy = (
        "is not taken with a stream of lines",
        "send a batch of up to 1,000 records, or leave the key out",
    )
    problem = Problem("bad_idempotency_key", "idempotency-key", None, rule, remedy)
    detail = "Nothing was computed."
    return ProblemDocument("bad_idempotency_key", 400, "The idempotency key is not valid", detail, (problem,))


def idempotency_key_in_use(seconds: int) -> ProblemDocument:
    """The same request is still being answered."""
    rule, remedy = "belongs to a request that is still being answered", f"send the same again in {seconds} s"
    problem = Problem("idempotency_key_in_use", "idempotency-key", None, rule, remedy)
    title, headers = "The request is being answered", {"Retry-After": str(seconds)}
    detail = "Sent again a moment later, it gets the answer."
    return ProblemDocument("idempotency_key_in_use", 409, title, detail, (problem,), headers)


def idempotency_key_reused() -> ProblemDocument:
    """A key that was sent with another request."""
    rule, remedy = "was sent with another request before", "send a new key with each new request"
    problem = Problem("idempotency_key_reused", "idempotency-key", None, rule, remedy)
    detail = "This key belongs to another path, query or body; nothing was computed."
    return ProblemDocument("idempotency_key_reused", 422, "The idempotency key is in use", detail, (problem,))


def not_found(elsewhere: str | None = None) -> ProblemDocument:
    """A path that the service does not have; ``elsewhere`` says where what was meant is, if that is known."""
    remedy = "GET /openapi.json lists them" + (f"; {elsewhere}" if elsewhere else "")
    problem = Problem("not_found", "path", None, "is not a path of this service", remedy)
    return ProblemDocument("not_found", 404, "Not found", "There is nothing at this path.", (problem,))


def no_report() -> ProblemDocument:
    """The pack that answers has no report beside it."""
    remedy = "`tregcast report` makes the report of a version, and `tregcast pull` then places it beside its pack"
    problem = Problem("no_report", "path", None, "stands for a report that is not there", remedy)
    detail = "There is no report of the model that answers."
    return ProblemDocument("no_report", 404, "No report", detail, (problem,))


def method_not_allowed(allow: str) -> ProblemDocument:
    """A method that the path does not have; ``allow`` are those it has."""
    problem = Problem("method_not_allowed", "method", None, "is not allowed at this path", f"use {allow}")
    detail = f"This path answers to {allow}."
    return ProblemDocument("method_not_allowed", 405, "Method not allowed", detail, (problem,), {"Allow": allow})


def unauthenticated() -> ProblemDocument:
    """A caller that is not known. Never a word on what was wrong with what it sent."""
    rule, remedy = "is not one valid credential", "send one header, Authorization: Bearer and a valid key or token"
    problem = Problem("unauthenticated", "authorization", None, rule, remedy)
    detail, headers = "This route answers callers that it knows.", {"WWW-Authenticate": REALM}
    return ProblemDocument("unauthenticated", 401, "Not authenticated", detail, (problem,), headers)


def forbidden(scope: str) -> ProblemDocument:
    """A known caller that lacks the scope which the route wants."""
    remedy = "ask whoever issues your keys or tokens for it"
    problem = Problem("forbidden", "authorization", None, f"does not grant the scope {scope}", remedy)
    headers = {"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'}
    detail = f"This route wants the scope {scope}."
    return ProblemDocument("forbidden", 403, "Not allowed", detail, (problem,), headers)


def too_many_requests(seconds: int) -> ProblemDocument:
    """A caller beyond its rate; ``seconds`` until it may ask again."""
    problem = Problem("too_many_requests", "authorization", None, "is beyond its rate", f"wait {seconds} s")
    detail = f"This caller may ask again in {seconds} s."
    headers = {"Retry-After": str(seconds)}
    return ProblemDocument("too_many_requests", 429, "Too many requests", detail, (problem,), headers)


def unavailable(reason: str, seconds: int) -> ProblemDocument:
    """Something that the service needs is not there; ``reason`` says what it cannot do, and why.

    >>> print(unavailable("cannot read its store of keys: it is missing", 5).problems[0])
    service cannot read its store of keys: it is missing; try again in 5 s, or tell whoever runs the service
    """
    remedy = f"try again in {seconds} s, or tell whoever runs the service"
    problem = Problem("unavailable", "service", None, reason, remedy)
    headers = {"Retry-After": str(seconds)}
    return ProblemDocument("unavailable", 503, "Unavailable", f"The service {reason}.", (problem,), headers)


def not_ready(troubles: Iterable[tuple[str, str, str, str]]) -> ProblemDocument:
    """Nobody can be answered: a problem for each part of the service that does not work.

    Args:
        troubles: of each the part, a code, the rule that it breaks and the remedy.
    """
    problems = tuple(Problem(code, part, None, rule, remedy) for part, code, rule, remedy in troubles)
    detail = (
        "The service cannot answer anybody at the moment: " + ", and ".join(each.rule for each in problems) + "."
    )
    headers = {"Retry-After": str(SECONDS_TO_RETRY)}
    return ProblemDocument("unavailable", 503, "Unavailable", detail, problems, headers)


def unrecorded() -> ProblemDocument:
    """The audit trail cannot be written to; nothing leaves without its record."""
    return unavailable("cannot record answers at the moment, so it gives none", SECONDS_TO_RETRY)


def other(status: int) -> ProblemDocument:
    """Anything else that the framework refuses."""
    return ProblemDocument("refused", status, "The request is refused", "The request could not be handled.")


def internal_error() -> ProblemDocument:
    """A fault of ours: nothing of the request or of the fault is in it."""
    detail = "A fault in the service; it is logged under the id of this request."
    return ProblemDocument("internal_error", 500, "Internal error", detail)
