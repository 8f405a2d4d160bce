"""What is counted of a chunk's answers and rejects, straight from their tables."""

from __future__ import annotations

from collections import Counter

from scoring.columns import CODES, OUTCOME, REASONS
from scoring.scored import Scored


def outcomes(scored: Scored) -> Counter[str]:
    """Rows by outcome, ``rejected`` among them."""
    found = Counter(scored.answers[OUTCOME].to_pylist())
    if scored.rejects.num_rows:
        found["rejected"] = scored.rejects.num_rows
    return found


def codes(scored: Scored) -> Counter[str]:
    """Rows by code, of cautions, of why there is no answer, of problems; a row counts once under each."""
    said = [*scored.answers[REASONS].to_pylist(), *scored.rejects[CODES].to_pylist()]
    return Counter(code for each in said if each for code in set(each.split()))
