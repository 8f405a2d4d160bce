"""Every table as CSV and Parquet, scored and read by training: answered alike, row by row, or refused alike."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.mapping import MappingError
from features.parse import parse_record
from model.answer import render
from model.predictor import Predictor
from scoring.fault import InputFault
from scoring.summary import Summary
from tests.conftest import Trained
from tests.corpus.cases import OF_THE_PACK, Case, Found, cases
from tests.corpus.routes import RECORDS, TODAY, Rows, of_answer, score
from tests.corpus.written import mapping_of, written
from tests.scoring.single_way import single_answers
from training.cohort import read_cohort
from training.cohort_table import CohortError, read_cohort_table
from training.contract.contract import check
from training.contract.contract_finding import Severity

TABLES = cases("tables")
FORMS = ("csv", "parquet")
CASES = [(case, form) for case in TABLES for form in FORMS if form in case.routes]
BY_NAME = {case.name: case for case in RECORDS}


def named(pair: object) -> str:
    return str(pair)


def read_by_training(source: Path, mapping: Path | None, predictor: Predictor) -> Rows:
    """What training makes of each row: the record up to it, answered, or why there is none."""
    table = read_cohort_table(source, mapping)
    found = {}
    for number, said in single_answers(predictor, table.rows, date.max, table.mapping.units).items():
        codes = frozenset(str(said.get("codes", said.get("reasons"))).split())
        numbers = tuple(v for k, v in said.items() if k.startswith(("progression", "interval", "probability")))
        text = str(said.get("problems", ""))
        found[number] = Found(str(said.get("outcome", "rejected")), codes, numbers, text)  # type: ignore[arg-type]
    return found


def require_rows(case: Case, found: Rows, plain: Any, predictor: Predictor) -> None:
    """Row by row what is expected: outcome and codes, the answers to a plain table, or that to a record."""
    expected = case.expected
    like: Rows = plain(expected["like"]) if "like" in expected else {}
    if "record" in expected:
        record = parse_record(BY_NAME[expected["record"]].given["record"], today=TODAY)
        like = {1: of_answer(render(predictor.predict(record)))}
    rows = expected.get("rows", [None] * len(like))
    assert sorted(found) == list(range(1, len(rows) + 1))
    for number, row in enumerate(rows, start=1):
        if row is None:
            assert not found[number].differs_from(like[number]), (number, found[number], like[number])
        else:
            outcome, codes = row
            assert (found[number].outcome, sorted(found[number].codes - OF_THE_PACK)) == (outcome, codes)
    if "words" in expected:
        assert any(expected["words"] in each.text for each in found.values()), found


@pytest.mark.parametrize(("case", "form"), CASES, ids=named)
def test_scored_on_this_machine(case: Case, form: str, trained: Trained, plain: Any, tmp_path: Path) -> None:
    source, mapping = written(case, tmp_path, form), mapping_of(case, tmp_path)
    before = sorted(tmp_path.iterdir())
    if "refused" in case.expected:
        with pytest.raises((InputFault, MappingError)) as raised:
            score(source, mapping, trained.pack)
        assert case.expected["refused"] in str(raised.value)
        assert sorted(tmp_path.iterdir()) == before
        return
    found, summary = score(source, mapping, trained.pack)
    require_rows(case, found, plain, trained.pack.predictor)
    require_headers(case, summary)
    if "near" in case.expected:
        with pytest.raises(InputFault, match="--strict"):
            score(source, mapping, trained.pack, strict=True)


def require_headers(case: Case, summary: Summary) -> None:
    """A header that is like a column, or like none, is named."""
    headers = summary.headers
    assert headers is not None
    near = case.expected.get("near")
    assert list(headers.near) == ([] if near is None else [near])
    if "not_read" in case.expected:
        assert case.expected["not_read"] in headers.not_read


@pytest.mark.parametrize(
    ("case", "form"), [(case, form) for case, form in CASES if "training" in case.routes], ids=named
)
def test_read_by_training(case: Case, form: str, trained: Trained, plain: Any, tmp_path: Path) -> None:
    source, mapping = written(case, tmp_path, form), mapping_of(case, tmp_path)
    refused = case.expected.get("training", case.expected.get("refused"))
    if refused is not None:
        for read in (read_cohort_table, read_cohort, check):
            with pytest.raises((CohortError, MappingError)) as raised:
                read(source, mapping)
            assert refused in str(raised.value)
        return
    found = read_by_training(source, mapping, trained.pack.predictor)
    require_rows(case, found, plain, trained.pack.predictor)
    rejected = {code for each in found.values() if each.outcome == "rejected" for code in each.codes}
    assert rejected <= {finding.code for finding in check(source, mapping).of(Severity.ERROR)}
    if "near" in case.expected:
        with pytest.raises(CohortError, match="--strict"):
            read_cohort(source, mapping, strict=True)
