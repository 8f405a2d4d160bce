"""Identifiers, days and misnamed files: one machine and training read them alike, or refuse them alike."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.mapping import ColumnMapping, read_mapping
from features.table import absent, patients
from scoring.fault import InputFault
from scoring.rows.cells import identities, read_days
from scoring.rows.mapped import mapped_columns
from scoring.sources.opening import open_source
from tests.scoring.tables_of_patients import (
    DAYS,
    MISNAMED,
    MIXED,
    NANOSECONDS,
    REFUSED,
    UNKNOWN_DAYS,
    WHOSE,
    Refused,
    Whose,
    parquet,
)
from training.cohort import CohortError
from training.cohort_table import read_cohort_table

NO_MAPPING = ColumnMapping()
ALL_REFUSED = (*REFUSED, *UNKNOWN_DAYS, *MISNAMED)


def column(path: Path, name: str) -> object:
    [piece] = open_source(path, NO_MAPPING).pieces()
    assert piece.table is not None
    return piece.table[name]


def grouped(keys: list[object]) -> list[int]:
    """Equal keys as equal numbers, in the order in which they come."""
    found: dict[object, int] = {}
    return [found.setdefault(key, len(found)) for key in keys]


def owners(path: Path) -> list[object]:
    """Whose each row is, as training has it."""
    rows = read_cohort_table(path).rows
    found: list[object] = [None] * len(rows)
    for number, patient in enumerate(patients(rows)):
        for row in patient.rows:
            found[row] = number
    return found


@pytest.mark.parametrize("case", [*WHOSE, *MIXED], ids=lambda case: case.name)
def test_whose_each_row_is_on_one_machine(case: Whose, tmp_path: Path) -> None:
    source = open_source(case.write(tmp_path), NO_MAPPING)
    pieces = [piece.table["patient_id"].to_pylist() for piece in source.pieces() if piece.table is not None]
    cells = [cell for piece in pieces for cell in piece]
    assert len({type(cell) for cell in cells if cell is not None}) <= 1
    assert grouped(identities(cells, len(cells)).tolist()) == list(case.patients)


@pytest.mark.parametrize("case", WHOSE, ids=lambda case: case.name)
def test_whose_each_row_is_in_training(case: Whose, tmp_path: Path) -> None:
    assert grouped(owners(case.write(tmp_path))) == list(case.patients)


@pytest.mark.parametrize(("write", "days"), [case[1:] for case in (*DAYS, *NANOSECONDS)])
def test_the_day_is_that_of_the_sender(write: object, days: list[date], tmp_path: Path) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    places = read_days(column(path, "visit_date")).places
    assert places.tolist() == [day.toordinal() for day in days]
    [patient] = patients(read_cohort_table(path).rows)
    assert patient.record is not None
    months = [(day - date(2025, 1, 1)).days / 30.4375 for day in days]
    assert [visit.month for visit in patient.record.visits] == months


@pytest.mark.parametrize("case", ALL_REFUSED, ids=lambda case: case.name)
def test_what_is_refused_on_one_machine_and_in_training(case: Refused, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    with pytest.raises(InputFault, match=case.words):
        list(open_source(path, NO_MAPPING).pieces())
    with pytest.raises(CohortError, match=case.words):
        read_cohort_table(path)


def test_pipes_devices_and_folders_of_nothing_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(InputFault, match="it is a pipe or a device"):
            open_source(path, NO_MAPPING)
    with pytest.raises(CohortError, match="it is a pipe or a device"):
        read_cohort_table(pipe)
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(InputFault, match=r"no \.parquet file in this folder; name a folder"):
        open_source(folder, NO_MAPPING)
    (folder / "a.CSV").touch()
    with pytest.raises(InputFault, match=r"it holds a\.CSV; a folder is read as Parquet: name the files"):
        open_source(folder, NO_MAPPING)
    (folder / "a.CSV").unlink()
    os.mkfifo(folder / "b.parquet")
    with pytest.raises(InputFault, match="it is a pipe or a device"):
        open_source(folder, NO_MAPPING)


@pytest.mark.parametrize("name", ["T.CSV", "T.Csv.GZ", "T.PARQUET", "T.JSONL", "T.NDJSON.GZ"])
def test_endings_in_capitals(name: str, tmp_path: Path) -> None:
    import gzip

    text = b"patient_id,months_since_onset,alsfrs_r_total\na,10,40\n"
    if "PARQUET" in name:
        import pyarrow as pa

        parquet(pa.array(["a"]))(tmp_path).rename(tmp_path / name)
    else:
        text = b"{}\n" if "JSON" in name else text
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    [piece] = open_source(tmp_path / name, NO_MAPPING).pieces()
    assert np.array_equal(piece.rows, [1])
    if "JSON" not in name:
        assert len(read_cohort_table(tmp_path / name).rows) == 1


FLAGS = {
    "values": 'values = { true = "yes", false = "no" }',
    "values as Python writes them": 'values = { True = "yes", False = "no" }',
}
CODES = [True, None, False]


@pytest.mark.parametrize("said", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("form", ["parquet", "csv", "CSV of Python"])
def test_booleans_map_as_true_and_false_in_every_format(said: str, form: str, tmp_path: Path) -> None:
    """And as flags; whole numbers with gaps are their digits."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[columns]\npatient_id = "ID"\nmonths_since_onset = "t"\n'
        f'riluzole = {{ header = "drug", {said} }}\n'
        'onset_site = { flags = { bulbar = "b", spinal = "s" } }\n'
        'sex = { header = "sex", values = { 1 = "male", 2 = "female" } }\n'
    )
    frame = pd.DataFrame({"ID": ["a", "b", "c"], "t": [1.0, 2.0, 3.0], "drug": pd.array(CODES, "boolean")})
    frame = frame.assign(b=frame["drug"], s=~frame["drug"], sex=pd.array([1, None, 2], "Float64"))
    if form == "parquet":
        frame.to_parquet(path := tmp_path / "t.parquet")
    else:
        text = frame.to_csv(index=False)
        (path := tmp_path / "t.csv").write_text(text if "Python" in form else text.lower().replace("id,", "ID,"))
    known = read_mapping(mapping)
    [piece] = open_source(path, known).pieces()
    assert piece.table is not None
    wanted = {
        "riluzole": ["yes", None, "no"],
        "onset_site": ["bulbar", None, "spinal"],
        "sex": ["male", None, "female"],
    }
    here = mapped_columns(piece.table, known)
    assert {name: here[name] for name in wanted} == wanted
    rows = read_cohort_table(path, mapping).rows
    told = {name: [None if absent(row[name]) else row[name] for row in rows] for name in wanted}
    assert told == wanted
