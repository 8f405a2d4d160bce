"""What a new key is to grant: read from the words of a command, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from features.problem import Problem, shown
from service.access.scope import IN_ORDER, Scope, is_scope

LONGEST_NAME = 80
MOST_DAYS = 3650
MOST_PER_MINUTE = 1_000_000


class BadGrant(ValueError):
    """A grant that cannot be given; the text has a line for each problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class Grant:
    """To whom, for what, for how many days (None: until it is revoked), how often a minute (None: no bound)."""

    name: str
    scopes: frozenset[Scope]
    days: int | None = None
    per_minute: int | None = None


def read_grant(
    name: str | None, scopes: Sequence[str], expires: str | None = None, rate: str | None = None
) -> Grant:
    """The grant that these words ask for.

    Raises:
        BadGrant: with every problem.

    >>> read_grant("ward 7", ["predict"], "90", "60/minute")
    Grant(name='ward 7', scopes=frozenset({'predict'}), days=90, per_minute=60)
    >>> read_grant("", ["predictt"], "0", "1/hour")
    Traceback (most recent call last):
    service.access.grant.BadGrant: --name = "" is not a name; give 1 to 80 printable characters
    --scope = "predictt" is not a scope; give predict, batch, admin
    --expires = "0" is not a whole number from 1 to 3650; give days, or leave it out
    --rate = "1/hour" is not N/minute, N from 1 to 1000000; give for example 60/minute, or leave it out
    """
    problems: list[Problem] = []
    if name is None or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        remedy = f"give 1 to {LONGEST_NAME} printable characters"
        problems.append(_problem("--name", name, "is required" if name is None else "is not a name", remedy))
    known = ", ".join(IN_ORDER)
    if not scopes:
        problems.append(_problem("--scope", None, "is required", f"give one or several of {known}"))
    wrong = [_problem("--scope", word, "is not a scope", f"give {known}") for word in scopes if not is_scope(word)]
    problems += wrong
    days = _whole(expires or "", MOST_DAYS)
    if expires is not None and days is None:
        rule = f"is not a whole number from 1 to {MOST_DAYS}"
        problems.append(_problem("--expires", expires, rule, "give days, or leave it out"))
    per_minute = _whole((rate or "").removesuffix("/minute"), MOST_PER_MINUTE)
    if rate is not None and (per_minute is None or not rate.endswith("/minute")):
        rule = f"is not N/minute, N from 1 to {MOST_PER_MINUTE}"
        problems.append(_problem("--rate", rate, rule, "give for example 60/minute, or leave it out"))
    if problems:
        raise BadGrant(problems)
    return Grant(name or "", frozenset(word for word in scopes if is_scope(word)), days, per_minute)


def _whole(text: str, most: int) -> int | None:
    found = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    return found if 1 <= found <= most else None


def _problem(option: str, value: str | None, rule: str, remedy: str) -> Problem:
    return Problem("bad_grant", option, None if value is None else shown(value), rule, remedy)
