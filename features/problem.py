"""Why a record is rejected: every reason at once, each with field, value, rule and remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason of refusal.

    ``value`` is what was sent, as text. The caller sees it; logs never do.

    >>> print(Problem("out_of_range", "visits[0].measurements.crp", "8200 mg/L", "is above 0-500 mg/L",
    ...               "sent in ug/L?"))
    visits[0].measurements.crp = 8200 mg/L is above 0-500 mg/L; sent in ug/L?
    """

    code: str
    field: str
    value: str | None
    rule: str
    remedy: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f" = {self.value}"
        return f"{self.field}{shown} {self.rule}; {self.remedy}"


MOST_TOLD = 200


class Rejected(ValueError):
    """A request that is not valid. The text of the error holds no value.

    ``problems`` holds every reason, or the first 200 and how many more, for an answer; ``every`` holds all.

    >>> str(Rejected([Problem("wrong_type", "sex", "1", "is not a text", "send \\"female\\" or \\"male\\"")]))
    'rejected: 1 wrong_type'
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.every = tuple(problems)
        self.problems = _bounded(problems)
        counts = Counter(problem.code for problem in self.problems)
        super().__init__("rejected: " + ", ".join(f"{count} {code}" for code, count in sorted(counts.items())))


LONGEST_SHOWN = 80


def _bounded(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """All problems, or the first 200 and how many more: a small request must not buy a huge answer."""
    if len(problems) <= MOST_TOLD:
        return tuple(problems)
    rule = f"has {len(problems) - MOST_TOLD} more problems"
    more = Problem("too_many_problems", "record", None, rule, "mend these first")
    return (*problems[:MOST_TOLD], more)


def shown(value: object) -> str:
    """A value as it may stand in a problem: JSON-like and never longer than 80 characters.

    >>> shown(True), shown("text"), shown([1, 2]), shown(None)
    ('true', '"text"', 'a list', 'null')
    """
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, (int, float)):
        text = _number(value)
    else:
        text = "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "a value"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a whole number of more than 38 digits"
    return f"{value:.10g}"
