"""The corpus is large enough, each kind of fault is in it, and each input is there once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.corpus.cases import Case, cases

ALL = [case for family in ("records", "tables", "requests") for case in cases(family)]
LEAST = 300
# The numbers of docs/faults.md whose faults are inputs; the others are of stores, starts, pages and documents.
IN_PART_A = [f"A{number}" for number in range(1, 11)]
KINDS = [*IN_PART_A, "B14", "B15", "B17", "B18", "B19", "B20", "B21", "C25", "C29"]


def test_every_kind_has_its_inputs() -> None:
    counts = Counter(case.kind for case in ALL)
    assert counts.total() >= LEAST
    assert set(KINDS) <= set(counts)


@pytest.mark.parametrize("family", ["records", "tables", "requests"])
def test_each_input_is_there_once(family: str) -> None:
    found = cases(family)
    assert len({str(case) for case in found}) == len(found)
    assert len({str(dict(case.given)) for case in found}) == len(found), same(found)


def same(found: list[Case]) -> list[list[str]]:
    """The names of inputs that are the same."""
    by_input: dict[str, list[str]] = {}
    for case in found:
        by_input.setdefault(str(dict(case.given)), []).append(str(case))
    return [names for names in by_input.values() if len(names) > 1]
