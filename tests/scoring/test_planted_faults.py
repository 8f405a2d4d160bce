"""Rows with a fault among many without one: each is rejected with its reason, every other is scored."""

from __future__ import annotations

import csv
import random
from itertools import cycle
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.proof.scale import scaled
from tests.scoring.conftest import Score
from tests.scoring.planted import FAULTS, Fault

ROWS, PLANTED = scaled(100_000), scaled(1000, least=2 * len(FAULTS))
EXTRA = ("onset_date", "visit_date", "crp_mg_l_comparator")


def plant(frame: pd.DataFrame, path: Path) -> dict[int, Fault]:
    """Write first visits over and over, each a patient of its own, with the faults; which row has which."""
    first = frame.drop_duplicates("patient_id").drop(columns=["provenance", "death_month"])
    head = [*first.columns, *(column for column in EXTRA if column not in first)]
    plain = [
        dict(zip(first.columns, row, strict=True)) for row in csv.reader(first.to_csv(index=False).splitlines())
    ]
    places = random.Random(5).sample(range(1, ROWS + 1), PLANTED)
    found = dict(zip(places, cycle(FAULTS), strict=False))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row, usual in zip(range(1, ROWS + 1), cycle(plain[1:]), strict=False):
            fault = found.get(row)
            cells = {**usual, "patient_id": f"p{row}", **(fault.cells if fault else {})}
            fields = [cells.get(column, "") for column in head]
            extra = fault.fields if fault else 0
            writer.writerow([*fields, *[""] * extra][: len(head) + extra])
    return found


@pytest.mark.slow
def test_every_planted_fault_is_told_and_every_other_row_is_scored(
    reference_frame: pd.DataFrame, tmp_path: Path, scored: Score
) -> None:
    found = plant(reference_frame, tmp_path / "c.csv")
    summary = scored(tmp_path / "c.csv", tmp_path / "a.parquet", workers=2, chunk_rows=1000, explain="none")
    assert (summary.rows, summary.rejected) == (ROWS, PLANTED)
    rejects = {
        row["row"]: row
        for row in map(dict, pd.read_json(tmp_path / "a.parquet.rejects.ndjson", lines=True).to_dict("records"))
    }
    assert rejects.keys() == found.keys()
    for row, fault in found.items():
        told = rejects[row]
        assert told["codes"] == fault.code, (fault, told["problems"])
        if fault.code != "ragged_row":
            assert told["patient_id"] == f"p{row}"
        place = f"row {row}: {fault.column}" if fault.column in {"crp_mg_l", "visit_date"} else fault.column
        assert place in told["problems"]
    answers = pq.read_table(tmp_path / "a.parquet")
    assert answers["row"].to_pylist() == [row for row in range(1, ROWS + 1) if row not in found]
    assert answers["patient_id"].to_pylist() == [f"p{row}" for row in range(1, ROWS + 1) if row not in found]
    assert summary.tally.outcomes["prediction"] + summary.tally.outcomes["prediction_with_cautions"] > ROWS / 2
