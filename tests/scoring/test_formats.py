"""The same rows are told the same, to the last bit, whatever form, order and number of threads they come in."""

from __future__ import annotations

import csv
import gzip
import json
import math
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.compose import compose
from features.table import patients
from model.answer import Prediction
from model.pack import Pack
from tests.scoring.conftest import Score

NUMBERS = ("progression_rate", "interval_lower", "interval_upper", "probability_slow", "base_value")


def bits(path: Path) -> list[tuple[object, ...]]:
    """The rows of a file of answers, in the types of Parquet and with each float as its bits."""
    if path.suffix == ".parquet":
        rows = [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
    elif path.name.endswith((".csv", ".csv.gz")):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        head, *lines = csv.reader(text.decode().splitlines())
        texts = {"patient_id", "outcome", "reasons", *(name for name in head if name.endswith("_feature"))}
        rows = [
            tuple(
                (cell or (None if name.endswith("_feature") else ""))
                if name in texts
                else int(cell)
                if name == "row"
                else float(cell)
                if cell
                else None
                for name, cell in zip(head, line, strict=True)
            )
            for line in lines
        ]
    else:
        rows = [tuple(json.loads(line).values()) for line in path.read_text().splitlines()]
    return [tuple(cell.hex() if isinstance(cell, float) else cell for cell in row) for row in rows]


def test_every_form_in_and_out(visits: pd.DataFrame, visits_file: Path, tmp_path: Path, scored: Score) -> None:
    scored(visits_file, tmp_path / "first.parquet")
    expected = bits(tmp_path / "first.parquet")
    assert len(expected) == len(visits)
    visits.to_csv(tmp_path / "visits.csv", index=False)
    visits.to_csv(tmp_path / "visits.csv.gz", index=False)
    for name in ("visits.csv", "visits.csv.gz"):
        for ending in ("parquet", "csv", "csv.gz", "ndjson", "jsonl.gz"):
            out = tmp_path / f"{name}.{ending}"
            scored(tmp_path / name, out, workers=2, chunk_rows=7)
            if ending == "jsonl.gz":
                out.with_suffix("").write_bytes(gzip.decompress(out.read_bytes()))
                out = out.with_suffix("")
            assert bits(out) == expected, name + ending


def test_the_numbers_are_those_of_a_single_record(
    visits: pd.DataFrame, visits_file: Path, tmp_path: Path, scored: Score, pack: Pack
) -> None:
    scored(visits_file, tmp_path / "a.parquet", explain="all")
    found = pq.read_table(tmp_path / "a.parquet").to_pylist()
    rows = [{str(key): value for key, value in row.items()} for row in visits.to_dict("records")]
    compared = 0
    for patient in patients(rows, today=date(2026, 1, 1)):
        assert patient.record is not None
        for visit, at in enumerate(patient.rows):
            answer = pack.predictor.predict(patient.record.until(visit))
            told = found[at]
            assert told["row"] == at + 1
            if not isinstance(answer, Prediction):
                assert told["outcome"] == "abstained"
                assert told["reasons"] == " ".join(reason.code for reason in answer.reasons)
                assert all(told[name] is None for name in NUMBERS)
                continue
            interval = answer.prediction_interval
            expected = (answer.progression_rate, interval.lower, interval.upper)
            expected += (answer.band_probabilities[0][1], answer.base_value)
            assert tuple(told[name] for name in NUMBERS) == expected
            for part in answer.contributions:
                assert told[f"contribution_{part.feature}"] == part.points_per_month
            compared += 1
    assert compared > 50


def test_the_order_of_the_rows(visits: pd.DataFrame, visits_file: Path, tmp_path: Path, scored: Score) -> None:
    scored(visits_file, tmp_path / "a.parquet")
    expected = {row[1:3]: row[3:] for row in bits(tmp_path / "a.parquet")}
    shuffled = visits.sample(frac=1, random_state=3)
    shuffled.to_parquet(tmp_path / "shuffled.parquet", index=False)
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)
    for workers in (1, 3):
        for name in ("shuffled.parquet", "shuffled.csv"):
            out = tmp_path / f"{name}.{workers}.csv"
            summary = scored(tmp_path / name, out, workers=workers)
            assert summary.rows == len(visits)
            found = bits(out)
            assert [row[0] for row in found] == list(range(1, len(visits) + 1))
            assert [row[1] for row in found] == shuffled["patient_id"].tolist()
            assert {row[1:3]: row[3:] for row in found} == expected
    files = [(tmp_path / f"shuffled.csv.{workers}.csv").read_bytes() for workers in (1, 3)]
    assert files[0] == files[1]


def test_a_folder_of_partitions(visits: pd.DataFrame, visits_file: Path, tmp_path: Path, scored: Score) -> None:
    scored(visits_file, tmp_path / "a.parquet")
    expected = {row[1:3]: row[3:] for row in bits(tmp_path / "a.parquet")}
    visits.to_parquet(tmp_path / "folder", partition_cols=["site", "onset_site"], index=False)
    scored(tmp_path / "folder", tmp_path / "b.parquet")
    assert {row[1:3]: row[3:] for row in bits(tmp_path / "b.parquet")} == expected


def test_records_and_rows_that_are_patients(visits: pd.DataFrame, tmp_path: Path, scored: Score) -> None:
    """Each patient's first visit: as a row without an identifier, and as the record that a clinic sends."""
    first = visits.drop_duplicates("patient_id").drop(columns="patient_id")
    first.to_parquet(tmp_path / "rows.parquet", index=False)
    scored(tmp_path / "rows.parquet", tmp_path / "rows.csv", chunk_rows=4)
    rows = [{str(key): value for key, value in row.items()} for row in first.to_dict("records")]
    records = [compose(patient.record) for patient in patients(rows) if patient.record is not None]
    lines = [json.dumps({**record, "reference": f"R{at}"}) for at, record in enumerate(records)]
    (tmp_path / "records.ndjson").write_text("\n".join(lines))
    summary = scored(tmp_path / "records.ndjson", tmp_path / "records.csv", chunk_rows=7)
    assert summary.rows == 30
    assert [row[2:] for row in bits(tmp_path / "records.csv")] == [row[2:] for row in bits(tmp_path / "rows.csv")]
    assert [row[1] for row in bits(tmp_path / "records.csv")] == [f"R{at}" for at in range(30)]


def test_numbers_survive_to_the_last_bit_in_every_form(tmp_path: Path) -> None:
    from scoring.results.placed import place
    from scoring.results.tables import write_table

    random = np.random.default_rng(1).integers(0, 2**64, 3000, dtype=np.uint64).view(np.float64)
    numbers = [
        *random[np.isfinite(random)].tolist(),
        0.1 + 0.2,
        5e-324,
        -0.0,
        1.7976931348623157e308,
        math.pi,
        None,
    ]
    import pyarrow as pa

    table = pa.table({"row": range(len(numbers)), "patient_id": ['a,"\n='] * len(numbers), "x": numbers})
    for name in ("a.parquet", "a.csv", "a.ndjson"):
        write_table(tmp_path / name, table.schema, table.to_batches(max_chunksize=100), {"pack": "p"})
        place(tmp_path / name)
    expected = [None if x is None else x.hex() for x in numbers]
    read = pq.read_table(tmp_path / "a.parquet")
    assert read.schema.metadata[b"pack"] == b"p"
    assert [None if x is None else x.hex() for x in read["x"].to_pylist()] == expected
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [float(row["x"]).hex() if row["x"] else None for row in cells] == expected
    assert {row["patient_id"] for row in cells} == {'a,"\n='}
    values = [json.loads(line)["x"] for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert [None if x is None else float(x).hex() for x in values] == expected


@pytest.mark.parametrize("explain", ["none", "top5", "all"])
def test_an_input_of_no_rows(visits: pd.DataFrame, tmp_path: Path, scored: Score, explain: str) -> None:
    visits.head(0).to_csv(tmp_path / "c.csv", index=False)
    for ending in ("parquet", "csv", "ndjson"):
        out = tmp_path / f"{explain}.{ending}"
        assert scored(tmp_path / "c.csv", out, explain=explain).rows == 0
        assert bits(out) == []
