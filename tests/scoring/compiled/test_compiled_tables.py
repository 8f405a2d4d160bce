"""Compiled tables say what `TreeTables` says, to the last bit, whatever the rows."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from model.tables import TreeTables
from scoring.compiled.tables import CompiledTables
from tests.model.test_tables import BOOSTERS, P, make_booster, make_rows, make_tables

TABLES = make_tables(make_booster()[0])
COMPILED = CompiledTables(TABLES)


def assert_same(tables: TreeTables, rows: np.ndarray) -> None:
    compiled = CompiledTables(tables)
    for name in ("estimate", "contributions"):
        expected, found = getattr(tables, name)(rows), getattr(compiled, name)(rows)
        assert found.dtype == expected.dtype == np.int64
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("changes", BOOSTERS.values(), ids=BOOSTERS)
def test_boosters_of_all_kinds(changes: dict[str, Any]) -> None:
    booster, rows = make_booster(**changes)
    tables = make_tables(booster)
    assert_same(tables, rows)
    assert_same(tables, rows.astype(np.float64))
    shares = CompiledTables(tables).contributions(rows) * tables.unit
    theirs = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(shares, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 129, 1000])
def test_any_number_of_rows(count: int) -> None:
    assert_same(TABLES, make_rows(count, seed=count))


THRESHOLDS = sorted({float(value) for value in TABLES.threshold.ravel() if math.isfinite(value)})
NUMBERS = st.one_of(
    st.just(math.nan),
    st.sampled_from(THRESHOLDS),
    st.sampled_from(THRESHOLDS).map(lambda value: math.nextafter(value, -math.inf)),  # float32 rounds it up to it
    st.floats(-4, 4),
    st.floats(allow_nan=True, allow_infinity=True),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=P, max_size=P), min_size=1, max_size=40))
def test_any_numbers(drawn: list[list[float]]) -> None:
    rows = np.array(drawn)
    assert_same(TABLES, rows)
    assert np.array_equal(COMPILED.contributions(rows).sum(axis=1), COMPILED.estimate(rows))


def test_rows_laid_out_otherwise() -> None:
    rows = make_rows(300, seed=3)
    for other in (np.asfortranarray(rows), rows[::-1], np.repeat(rows, 2, axis=1)[:, ::2]):
        assert_same(TABLES, other)


def test_tables_of_nothing() -> None:
    none = [np.zeros((0, 1), kind) for kind in (np.int32, np.float32, np.bool_, np.int32)]
    tables, rows = TreeTables(2, 3, -7, *none, np.zeros((0, 2, 1), np.int32)), np.zeros((3, 2))
    assert CompiledTables(tables).contributions(rows).tolist() == [[0, 0, -7]] * 3
    assert_same(tables, rows)


def test_large_entries_do_not_overflow() -> None:
    """A thousand groups of the largest entries on one feature: far beyond 32 bits."""
    groups, largest = 1000, 2**29
    tables = TreeTables(
        n_features=1,
        grid=0,
        base=0,
        feature=np.zeros((groups, 1), np.int32),
        threshold=np.zeros((groups, 1), np.float32),
        default_left=np.ones((groups, 1), np.bool_),
        slot_feature=np.zeros((groups, 1), np.int32),
        table=np.tile(np.array([[[largest], [-largest]]], np.int32), (groups, 1, 1)),
    )
    rows = np.array([[1.0], [-1.0], [np.nan]])
    assert CompiledTables(tables).contributions(rows)[:, 0].tolist() == [1000 * 2**29, -1000 * 2**29, -1000 * 2**29]
    assert_same(tables, rows)


def test_rows_of_another_width_are_refused() -> None:
    for evaluate in (COMPILED.estimate, COMPILED.contributions):
        with pytest.raises(ValueError, match=r"rows have shape \(2, 5\); expected \(n, 6\)"):
            evaluate(np.zeros((2, 5)))


def test_threads_get_the_same_answers() -> None:
    fresh, rows = CompiledTables(TABLES), make_rows(5000, seed=4)
    expected = TABLES.contributions(rows)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: fresh.contributions(rows), range(8)))
    assert all(np.array_equal(each, expected) for each in found)


def test_nothing_is_compiled_on_import(tmp_path: Path) -> None:
    """What is compiled is kept in the folder that is named, and importing leaves it empty."""
    code = "import scoring.compiled.fitted"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(tmp_path.rglob("*.nb*"))
