"""Bad records, each with its exact list of problems, in order: the table is tests/golden/bad_records.json.

Written by hand. The service's tests read the same table: whatever the route, a record is refused in the same words.
"""

from __future__ import annotations

import json
import re
import traceback
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.parse import parse_record
from features.problem import Rejected
from features.strict_json import loads

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).parents[1].joinpath("golden/bad_records.json").read_text())
TODAY = date(2026, 7, 1)

each = pytest.mark.parametrize("bad", TABLE, ids=[bad["name"] for bad in TABLE])


def refused(body: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse_record(loads(body.encode()), today=TODAY)
    return caught.value


@each
def test_every_problem_of_a_bad_record_is_told(bad: dict[str, Any]) -> None:
    assert [asdict(problem) for problem in refused(bad["body"]).problems] == bad["problems"]


@each
def test_the_error_itself_holds_no_value(bad: dict[str, Any]) -> None:
    error = refused(bad["body"])
    counts = Counter(problem["code"] for problem in bad["problems"])
    assert str(error) == "rejected: " + ", ".join(f"{counts[code]} {code}" for code in sorted(counts))
    assert repr(error) == f"Rejected({str(error)!r})"
    printed = "".join(traceback.format_exception(error))
    assert "Canary" not in printed
    values = [problem["value"] or "" for problem in bad["problems"]]
    assert [value for value in values if re.search(r"\d.*\d.*\d", value) and value in printed] == []


@each
def test_a_problem_reads_as_a_sentence(bad: dict[str, Any]) -> None:
    for problem in refused(bad["body"]).problems:
        shown = "" if problem.value is None else f" = {problem.value}"
        assert str(problem) == f"{problem.field}{shown} {problem.rule}; {problem.remedy}"
        assert "  " not in str(problem)
        assert len(str(problem)) < 400
        assert problem.rule.split()[0] in {"is", "has", "holds", "stands", "starts", "mixes", "contradicts"}
        assert not problem.remedy.endswith(".")


def test_the_table_is_broad() -> None:
    assert len(TABLE) >= 36
    assert len({bad["name"] for bad in TABLE}) == len(TABLE)
    assert {problem["code"] for bad in TABLE for problem in bad["problems"]} == {
        *("malformed_json", "duplicate_key", "not_finite", "wrong_type", "unknown_key", "missing_key"),
        *("missing_unit", "unknown_unit", "unknown_value", "out_of_range", "not_whole", "contradiction"),
        *("empty_history", "too_many", "visit_time", "mixed_time", "time_order", "duplicate_visit"),
        *(
            "future_visit",
            "future_onset",
            "future_birth",
            "comparator_not_allowed",
            "before_onset",
            "bad_date",
            "too_long",
            "unprintable",
        ),
    }
