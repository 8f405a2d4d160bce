"""``?explain=``: how many contributions an answer tells, on every route that tells any."""

from __future__ import annotations

from typing import get_args
from urllib.parse import parse_qsl

from features.problem import Problem, shown
from model.answer import Explain
from service.problem import Unanswered, bad_query

PARAMETER = "explain"
CHOICES: tuple[Explain, ...] = get_args(Explain)
DEFAULT: Explain = "all"
NOTICE = (
    f"How many contributions a prediction tells. top5: the five largest, and in other_contributions how many more "
    f"there are and what they add up to, so that all still add up to progression_rate. none: no base_value and no "
    f"contributions. Without it: {DEFAULT}; from version 1.0 on it will be top5, so say what you need."
)


def read_explain(query: bytes) -> Explain:
    """What the query of a request asks for.

    Raises:
        Unanswered: 400 where it has another parameter, ``explain`` twice, or another value.

    >>> read_explain(b""), read_explain(b"explain=top5")
    ('all', 'top5')
    >>> read_explain(b"explain=top3&verbose")
    Traceback (most recent call last):
    service.problem.Unanswered: bad_query
    """
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    remedy = f"the only one is {PARAMETER}"
    problems = [
        Problem("unknown_key", name[:80] or "query", None, "is not a parameter here", remedy)
        for name in dict.fromkeys(name for name, _ in pairs)
        if name != PARAMETER
    ]
    values = [value for name, value in pairs if name == PARAMETER]
    if len(values) > 1:
        problems.append(Problem("duplicate_key", PARAMETER, None, "stands twice in the query", "send it once"))
    found = [choice for choice in CHOICES if choice in values]
    if values and not found:
        remedy = f"send one of {', '.join(CHOICES)}, or leave it out"
        problems.append(Problem("unknown_value", PARAMETER, shown(values[0]), "is not one of the values", remedy))
    if problems:
        raise Unanswered(bad_query(problems))
    return found[0] if found else DEFAULT
