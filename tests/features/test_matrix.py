"""The design matrix: order, gaps, directions, and what it says when columns don't match."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feature import catalogue
from features.matrix import ColumnDiff, DesignMatrix
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import vocabulary
from tests.measured import QUALIFIED

RECORD = PatientRecord(
    (Visit(12.0, {"alsfrs_r_total": Measurement(36.0), "crp": Measurement(4.0)}),), {"sex": "male"}, age_years=60.0
)
FOUR = DesignMatrix(("crp_mg_l", "delta_fs", "nlr", "sex_female"))


def test_a_row_keeps_the_order_and_leaves_gaps() -> None:
    np.testing.assert_array_equal(FOUR.row(RECORD), [4.0, 1.0, np.nan, 0.0])
    assert FOUR.row(RECORD).dtype == np.float64


def test_the_scale_is_that_of_the_matrix() -> None:
    older = DesignMatrix(("delta_fs", "alsfrs_r_total"), "alsfrs_total")
    np.testing.assert_array_equal(older.row(RECORD), [np.nan, 36.0])


def test_order_takes_derived_features_by_column() -> None:
    np.testing.assert_array_equal(FOUR.order({"nlr": 3.0, "bmi_kg_m2": 25.0}), [np.nan, np.nan, 3.0, np.nan])


def test_no_records_are_no_rows() -> None:
    assert FOUR.rows([]).shape == (0, 4)


@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_a_row_alone_is_the_row_in_a_batch(data: st.DataObject, records: st.SearchStrategy[PatientRecord]) -> None:
    batch = data.draw(st.lists(records, min_size=1, max_size=4))
    matrix = DesignMatrix(tuple(catalogue()), qualified=QUALIFIED)
    rows = matrix.rows(iter(batch))
    assert rows.shape == (len(batch), len(catalogue()))
    assert [row.tobytes() for row in rows] == [matrix.row(record).tobytes() for record in batch]
    assert not np.isinf(rows).any()


@given(data=st.data(), order=st.permutations(tuple(catalogue())))
@settings(deadline=None, max_examples=30)
def test_permuted_columns_are_permuted_rows(
    data: st.DataObject, order: list[str], records: st.SearchStrategy[PatientRecord]
) -> None:
    record = data.draw(records)
    straight = dict(
        zip(catalogue(), DesignMatrix(tuple(catalogue()), qualified=QUALIFIED).row(record), strict=True)
    )
    np.testing.assert_array_equal(
        DesignMatrix(tuple(order), qualified=QUALIFIED).row(record), [straight[column] for column in order]
    )


def test_directions_by_hand() -> None:
    columns = {
        "treg_count_per_ul": -1,
        "treg_suppression_pct": -1,
        "nfl_pg_ml": 1,
        "nfl_pg_ml_change_per_month": 1,
        "nfl_pg_ml_months_since_drawn": 0,
        "delta_fs": 1,
        "sex_female": 0,
        "age_years": 0,
        "cd8_count_per_ul": 0,
        "diagnostic_delay_months": -1,
    }
    matrix = DesignMatrix(tuple(columns), qualified=QUALIFIED)
    assert matrix.directions == tuple(columns.values())
    assert [feature.column for feature in matrix.features] == list(columns)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (["crp_mg_l", "delta_fs", "nlr", "sex_female"], "no difference"),
        (["crp_mg_l", "nlr", "sex_female"], "missing: delta_fs"),
        (["crp_mg_l", "delta_fs", "nlr", "sex_female", "site"], "unexpected: site"),
        (["nlr", "delta_fs", "crp_mg_l", "sex_female"], "moved: crp_mg_l, nlr"),
        (["sex", "nlr", "crp"], "missing: crp_mg_l, delta_fs, sex_female; unexpected: sex, crp"),
        (["crp_mg_l", "delta_fs", "nlr", "sex_female", "nlr"], "unexpected: nlr"),
        ([], "missing: crp_mg_l, delta_fs, nlr, sex_female"),
    ],
)
def test_a_difference_is_told_as_a_diff(columns: list[str], text: str) -> None:
    found = FOUR.difference(columns)
    assert (str(found), bool(found)) == (text, text != "no difference")


def test_moves_are_told_only_among_the_same_columns() -> None:
    assert FOUR.difference(["sex_female", "crp_mg_l"]) == ColumnDiff(("delta_fs", "nlr"), (), ())


def test_a_matrix_is_of_known_columns_each_once() -> None:
    with pytest.raises(ValueError, match=r"unknown columns \['crp'\], columns that stand twice \['nlr'\]"):
        DesignMatrix(("nlr", "crp", "nlr"))
    with pytest.raises(ValueError, match=r"scale 'alsfrs' is not one of \['alsfrs_r_total', 'alsfrs_total'\]"):
        DesignMatrix(("nlr",), "alsfrs")  # type: ignore[arg-type]


def test_the_catalogue_holds_every_column_once() -> None:
    quantities = vocabulary().quantities.values()
    of_visits = [quantity for quantity in quantities if quantity.level == "visit"]
    categories, delta_fs, of_patients = 5, 1, 3
    assert len(catalogue()) == categories + delta_fs + of_patients + 3 * len(of_visits)
    assert list(catalogue())[: categories + delta_fs] == [
        *("sex_female", "onset_bulbar", "onset_respiratory", "c9orf72_expanded", "riluzole_yes", "delta_fs"),
    ]
    assert all(column == feature.column for column, feature in catalogue().items())


@pytest.mark.parametrize(
    ("column", "unit", "kind", "quantity"),
    [
        ("crp_mg_l", "mg/L", "last", "crp"),
        ("crp_mg_l_change_per_month", "(mg/L)/mo", "change", "crp"),
        ("crp_mg_l_months_since_drawn", "mo", "drawn", "crp"),
        ("months_since_onset", "mo", "last", "months_since_onset"),
        ("onset_bulbar", "1", "category", None),
        ("delta_fs", "{score}/mo", "derived", None),
    ],
)
def test_what_a_column_is(column: str, unit: str, kind: str, quantity: str | None) -> None:
    feature = catalogue()[column]
    assert (feature.unit, feature.kind, feature.quantity) == (unit, kind, quantity)


@pytest.mark.parametrize(
    ("qualified", "says"),
    [
        ((), "how treg_pct_cd4 of the training cohort was measured is not said"),
        ((("treg_pct_cd4", (("treg_gate", "foxp3"),)),), "treg_pct_cd4 is not qualified by treg_gate"),
        ((("crp", (("treg_gate", "foxp3"),)),), "how treg_pct_cd4"),
        (
            (("treg_pct_cd4", (("treg_denominator", "cd4"), ("treg_gate", "tcd3"))),),
            "tcd3 is no value of how treg_pct_cd4 was measured",
        ),
    ],
)
def test_columns_of_a_qualified_quantity_say_how_it_was_measured(qualified: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DesignMatrix(("treg_pct_cd4",), qualified=qualified)  # type: ignore[arg-type]
