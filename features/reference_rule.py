"""What a caller's reference must look like where a site has a rule for it, so that no name or number of a patient
gets into answers and their audit trail.

The rule is one of the process, set once when a service opens: it holds on every way to `features.parse`.
"""

from __future__ import annotations

import re

_pattern: re.Pattern[str] | None = None


def use_pattern(pattern: re.Pattern[str] | None) -> None:
    """Ask of every reference from now on that the whole of it fits this pattern; None asks nothing."""
    global _pattern  # noqa: PLW0603  the one rule of this process
    _pattern = pattern


def broken_rule(reference: str) -> str | None:
    """The rule that a reference breaks, or None.

    >>> use_pattern(re.compile("P-[0-9]{4}"))
    >>> broken_rule("P-0042"), broken_rule("Mary Smith"), broken_rule("P-0042 ")
    (None, "does not have this site's form of a pseudonym, P-[0-9]{4}", \
"does not have this site's form of a pseudonym, P-[0-9]{4}")
    >>> use_pattern(None)
    >>> broken_rule("Mary Smith") is None
    True
    """
    if _pattern is None or _pattern.fullmatch(reference):
        return None
    return f"does not have this site's form of a pseudonym, {_pattern.pattern}"
