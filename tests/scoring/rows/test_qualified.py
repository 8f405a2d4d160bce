"""Rows whose Tregs were measured otherwise are answered many at a time, and as one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.mapping import ColumnMapping
from model.predictor import Predictor
from scoring.rows.mapped import mapped_columns
from scoring.rows.ordinary import Ordinary
from tests.scoring.single_way import single_answers
from tests.scoring.test_scorer import as_table, records_of, said, score

TODAY = date(2026, 6, 1)
WAYS = {
    "treg_gate": ["cd25_cd127low", "cd25_cd127low", "foxp3", "unknown"],
    "treg_denominator": ["cd4", "cd4", "lymphocytes", "leukocytes", "unknown"],
    "treg_responder_ratio": ["1:1", "1:1", "1:8", "unknown"],
}


@pytest.fixture(scope="module")
def table(reference_frame: pd.DataFrame) -> pa.Table:
    """Every row says another way; whoever is contradicted by that is left to the parser."""
    rng = np.random.default_rng(3)
    frame = reference_frame.head(400).copy()
    for column, ways in WAYS.items():
        frame[column] = rng.choice(ways, len(frame))
    return as_table(records_of(frame))


def ordinary(predictor: Predictor, table: pa.Table, mapping: ColumnMapping | None = None) -> Ordinary:
    columns = mapped_columns(table, mapping or ColumnMapping())
    return Ordinary.of_table(predictor, columns, {}, table.num_rows, TODAY)


def test_many_at_a_time_is_one_by_one(predictor: Predictor, table: pa.Table) -> None:
    scored = score(predictor, table)
    expected = single_answers(predictor, table.to_pylist(), TODAY)
    assert said(scored, expected) == expected
    codes = [set(code.split()) for code in scored.answers["reasons"].to_pylist()]
    assert sum("not_comparable" in code for code in codes) > 80


def test_another_way_is_not_out_of_the_ordinary(predictor: Predictor, table: pa.Table) -> None:
    """Else one file of another laboratory would take a hundred times as long."""
    usual = table.drop_columns(["treg_count_per_ul"])  # so that nothing contradicts
    assert len(ordinary(predictor, usual).positions) == table.num_rows


def test_a_row_that_does_not_say_it_is(predictor: Predictor, table: pa.Table) -> None:
    silent = table.drop_columns(["treg_gate"])
    has = np.array([row["treg_count_per_ul"] or row["treg_pct_cd4"] for row in table.to_pylist()], dtype=bool)
    whole = pd.Series(has).groupby(table["patient_id"].to_pandas()).transform("any").to_numpy()
    assert sorted(ordinary(predictor, silent).positions.tolist()) == np.flatnonzero(~whole).tolist()
    rejects = score(predictor, silent).rejects.to_pylist()
    assert {reject["codes"] for reject in rejects} == {"missing_key"}
    assert "[constants] treg_gate" in rejects[0]["problems"]


def test_constants_are_a_column(predictor: Predictor, reference_frame: pd.DataFrame) -> None:
    stated = as_table(records_of(reference_frame.head(100)))
    constants = {"treg_gate": "cd25_cd127low", "treg_denominator": "cd4", "treg_responder_ratio": "1:1"}
    silent, mapping = stated.drop_columns(list(constants)), ColumnMapping(constants=constants)
    assert score(predictor, silent, mapping).answers.equals(score(predictor, stated).answers)
    assert len(ordinary(predictor, silent, mapping).positions) == 100


def test_a_model_that_does_not_know_the_gate_cautions_many_at_a_time(predictor: Predictor, table: pa.Table) -> None:
    def unknown(name: str, value: str) -> tuple[str, str]:
        return (name, "unknown") if name == "treg_gate" else (name, value)

    qualified = tuple((name, tuple(unknown(*pair) for pair in said)) for name, said in predictor.matrix.qualified)
    other = replace(predictor, matrix=replace(predictor.matrix, qualified=qualified))
    scored = score(other, table)
    expected = single_answers(other, table.to_pylist(), TODAY)
    assert said(scored, expected) == expected
    codes = [set(code.split()) for code in scored.answers["reasons"].to_pylist()]
    assert sum("measured_unknown_way" in code for code in codes) > 10
