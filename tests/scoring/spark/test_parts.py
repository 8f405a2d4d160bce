"""What needs no Spark: numbers of rows, whole patients, lines of CSV."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from features.identifier import LIKE_NOTHING
from scoring.spark.columns import FIELDS, LINE, PATH, ROW_NUMBER, START
from scoring.spark.csv_lines import CsvLayout, parsed
from scoring.spark.lines import numbered_lines
from scoring.spark.numbering import Block, places
from scoring.spark.patients import whole_patients
from scoring.spark.stopped import Stopped


def test_nothing_is_what_pandas_takes_for_nothing() -> None:
    assert {"", *LIKE_NOTHING} == STR_NA_VALUES


@given(
    st.lists(st.integers(1, 7), max_size=12),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_no_patient_is_ever_cut(sizes: list[int], batch: int, least: int) -> None:
    names = [f"p{at}" for at, size in enumerate(sizes) for _ in range(size)]
    rows = pa.table({"key": pa.array(names, pa.string()), "at": np.arange(len(names))})
    tables = list(whole_patients(rows.to_batches(max_chunksize=batch), "key", least))
    assert [at for table in tables for at in table["at"].to_pylist()] == list(range(len(names)))
    assert all(table.num_rows for table in tables)
    held = [set(table["key"].to_pylist()) for table in tables]
    assert sum(map(len, held)) == len(sizes)
    assert all(table.num_rows >= least - 7 for table in tables[:-1])
    assert all(table.num_rows <= least + batch + 2 * 7 for table in tables)  # no more is held than must be


@given(
    st.dictionaries(st.sampled_from("abcde"), st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_numbers_are_those_of_one_reader(files: dict[str, list[int]], headed: bool, random: object) -> None:
    """Whatever the order of the blocks, and however they are batched."""
    blocks = [(name, at * 100, size) for name, sizes in files.items() for at, size in enumerate(sizes)]
    read = [
        (name, start, f"{name}{start}-{line}".encode())
        for name, start, size in sorted(blocks)
        for line in range(size)
    ]
    wanted: dict[bytes, int] = {}
    number, before = 0, None
    for name, _, line in read:
        header = headed and name != before
        before = name
        number += not header
        wanted[line] = 0 if header else number
    found = places([Block(*block) for block in blocks], headed=headed)
    random.shuffle(blocks)  # type: ignore[attr-defined]
    mixed = [line for name, start, _ in blocks for line in read if line[:2] == (name, start)]
    columns = list(zip(*mixed, strict=True)) or [[], [], []]
    types = {PATH: pa.string(), START: pa.int64(), LINE: pa.binary()}
    table = pa.table({name: pa.array(cells, types[name]) for name, cells in zip(types, columns, strict=True)})
    got = list(numbered_lines(table.to_batches(max_chunksize=3), found))
    lines = {line: row for batch in got for row, line in zip(*batch.to_pydict().values(), strict=True)}
    assert lines == wanted


def test_a_file_that_changed_is_told() -> None:
    batch = pa.record_batch({PATH: ["a.csv"], START: [7], LINE: [b"x"]})
    with pytest.raises(Stopped, match=r"a\.csv changed while it was read"):
        list(numbered_lines([batch], {("a.csv", 0): places([Block("a.csv", 0, 1)], headed=False)["a.csv", 0]}))


def lines_of(*lines: bytes) -> list[pa.RecordBatch]:
    return [pa.record_batch({ROW_NUMBER: np.arange(1, len(lines) + 1), LINE: list(lines)})]


CELL = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=6)


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=9))
def test_cells_are_what_pythons_reader_sees(rows: list[list[str]]) -> None:
    lines = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(row)
        lines.append(text.getvalue().removesuffix("\n").encode())
    batches = list(parsed(lines_of(*lines), CsvLayout(("a", "b", "c"), ("c", "a"))))
    got = {row.pop(ROW_NUMBER): row for batch in batches for row in batch.to_pylist()}
    for at, row in enumerate(rows, 1):
        told = {key: cell or None for key, cell in got[at].items()}
        if len(row) == 3:
            assert told == {FIELDS: None, "c": none(row[2]), "a": none(row[0])}
        else:
            assert told == {FIELDS: len(row), "c": None, "a": None}


def none(cell: str) -> str | None:
    return None if cell in STR_NA_VALUES else cell


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'"open,1', r"row 2, field 1 \(id\): a quotation mark is not closed; .*; on Spark a text must not hold"),
        (b'"secret"secret,1', r"row 2, field 1 \(id\): text stands after the mark"),
        (b"secret\xff,1", "rows 1 to 3 .*UTF-8"),
        (b"secret\rsecret,1", "row 2 holds a carriage return"),
        (b'"secret\rsecret",1', "rows 1 to 3 hold a carriage return"),
        (b"secret\0,1", "row 2 holds a byte 0"),
    ],
)
def test_lines_that_are_no_rows_stop_the_job_without_a_value(line: bytes, words: str) -> None:
    with pytest.raises(Stopped, match=words) as told:
        list(parsed(lines_of(b"a,1", line, b'"b",2'), CsvLayout(("id", "crp"), ("id", "crp"))))
    assert "secret" not in str(told.value)
