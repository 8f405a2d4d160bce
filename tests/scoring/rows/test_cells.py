"""A column of cells read at once says what the parser says of each cell."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.measurement import parse_measurement
from features.record import Measurement
from features.table import absent, measurement
from features.vocabulary import vocabulary
from scoring.rows.cells import identities, read_codes, read_days, read_numbers

CRP = vocabulary().by_column["crp_mg_l"]
TOTAL = vocabulary().by_column["alsfrs_r_total"]
TEXTS = st.sampled_from(
    ["<0.3", ">40", "> 1e2", "8,2", " 8.2", "8_2", "nan", "inf", "-1", "+3", ".5", "5.", "", " "]
)
CELLS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-5, 600),
    st.booleans(),
    TEXTS,
    st.floats(0, 400).map(repr),
    st.decimals(allow_nan=False),
)


@given(st.lists(CELLS, max_size=20), st.sampled_from(["mg/L", "mg/dL", "ug/L"]))
def test_numbers_are_those_of_the_parser(cells: list[object], unit: str) -> None:
    found = read_numbers(cells, CRP, unit)
    for at, cell in enumerate(cells):
        if absent(cell):
            assert np.isnan(found.values[at])
            assert not found.odd[at]
            continue
        parsed = parse_measurement("crp", CRP, measurement({}, CRP, cell, {"crp_mg_l": unit}))
        assert found.odd[at] == (not isinstance(parsed, Measurement))
        if isinstance(parsed, Measurement):
            assert found.values[at] == parsed.value
            assert found.beyond[at] == (parsed.comparator is not None)


@given(st.lists(st.one_of(st.none(), st.floats(), st.floats(0, 48).map(np.floor)), max_size=20))
def test_a_score_is_a_whole_number(cells: list[float | None]) -> None:
    found = read_numbers(pa.chunked_array([pa.array(cells, pa.float64())]), TOTAL, TOTAL.unit)
    for at, cell in enumerate(cells):
        plain = absent(cell) or (cell is not None and 0 <= cell <= 48 and float(cell).is_integer())
        assert found.odd[at] != plain


@pytest.mark.parametrize(
    "column",
    [
        pa.array([8.25, None, 3.0], pa.float64()),
        pa.array([8.25, None, 3.0], pa.float32()),
        pa.array(["8.25", None, "3"]),
        pa.array(["8.25", None, "3"]).dictionary_encode(),
        pa.array(["8.25", None, " 3.0 "], pa.large_string()),
        pa.array([Decimal("8.25"), None, Decimal("3.00")]),
    ],
    ids=lambda column: str(column.type),
)
def test_whatever_type_a_file_gives_its_column(column: pa.Array) -> None:
    found = read_numbers(pa.chunked_array([column[:1], column[1:]]), CRP, "mg/L")
    assert found.values[[0, 2]].tolist() == [8.25, 3.0]
    assert np.isnan(found.values[1])
    assert not found.odd.any()


@pytest.mark.parametrize("column", [pa.array([True, None]), pa.array([date(2025, 1, 1), None])])
def test_a_type_that_no_number_has_is_left_to_the_parser(column: pa.Array) -> None:
    assert read_numbers(pa.chunked_array([column]), CRP, "mg/L").odd.tolist() == [True, False]


def test_a_column_of_nothing() -> None:
    found = read_numbers(pa.chunked_array([pa.nulls(2)]), CRP, "mg/L")
    assert np.isnan(found.values).all()
    assert not found.odd.any()


def test_equal_cells_of_other_types_are_not_the_same() -> None:
    assert read_numbers([1, True, 1.0], CRP, "mg/L").odd.tolist() == [False, True, False]
    assert read_codes(["yes", 1, True, None, "no "], ("yes", "no")).places.tolist() == [0, -2, -2, -1, -2]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (date(2025, 9, 1), date(2025, 9, 1)),
        (datetime(2025, 9, 1, 14, 30), date(2025, 9, 1)),
        ("2025-09-01", date(2025, 9, 1)),
        (" 2025-09-01T00:00:00Z ", date(2025, 9, 1)),
        ("20250901", None),
        ("2025-02-29", None),
        ("1.9.2025", None),
    ],
)
def test_days(cell: object, expected: date | None) -> None:
    found = read_days([cell, None])
    assert found.places.tolist() == [-2 if expected is None else expected.toordinal(), -1]


def test_days_of_arrow_types() -> None:
    days = pa.array([date(2025, 9, 1), None])
    for column in (
        days,
        days.cast(pa.timestamp("us")),
        days.cast(pa.timestamp("ns", "UTC")),
        days.cast(pa.string()),
    ):
        assert read_days(pa.chunked_array([column])).places.tolist() == [date(2025, 9, 1).toordinal(), -1]


def test_whose_a_row_is() -> None:
    assert identities(pa.chunked_array([pa.array([5, None, 5])]), 3).tolist() == [0, 2, 0]
    assert len(set(identities(None, 4).tolist())) == 4
