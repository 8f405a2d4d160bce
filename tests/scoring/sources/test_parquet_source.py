"""Parquet as a source: a file or a folder of partitions; what is damaged is told with file and row group."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.mapping import ColumnMapping, Source
from scoring.fault import ScoringFault
from scoring.sources.opening import open_source
from scoring.sources.parquet_file import open_parquet

NO_MAPPING = ColumnMapping()


def frame(rows: int, patient: str = "p") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": [f"{patient}{number // 3}" for number in range(rows)],
            "months_since_onset": [10.0 + number % 3 for number in range(rows)],
            "crp_mg_l": [number / 7 for number in range(rows)],
            "note": ["secret"] * rows,
        }
    )


def read(path: Path, mapping: ColumnMapping = NO_MAPPING) -> pd.DataFrame:
    pieces = list(open_parquet(path, mapping).pieces())
    rows = [row for piece in pieces for row in piece.rows.tolist()]
    assert rows == list(range(1, len(rows) + 1))
    assert pieces[-1].share == 1.0
    return pd.concat([piece.table.to_pandas() for piece in pieces if piece.table is not None], ignore_index=True)


def fault(path: Path, mapping: ColumnMapping = NO_MAPPING) -> str:
    with pytest.raises(ScoringFault) as error:
        read(path, mapping)
    assert "secret" not in str(error.value)
    return str(error.value)


def test_only_used_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    frame(100_000).to_parquet(path)
    pd.testing.assert_frame_equal(read(path), pd.read_parquet(path).drop(columns="note"))
    mapping = ColumnMapping(sources={"months_since_onset": Source(("months_since_onset",))})
    assert list(read(path, mapping)) == ["months_since_onset"]


def test_a_folder_of_partitions(tmp_path: Path) -> None:
    """What pyarrow wrote with its partitioning of Hive, and the folders' texts as texts."""
    whole = frame(60).assign(site=["007", "north star", None] * 20)
    table = pa.Table.from_pandas(whole, preserve_index=False)
    pq.write_to_dataset(table, tmp_path / "c", partition_cols=["site"])
    (tmp_path / "c" / "_SUCCESS").touch()
    (tmp_path / "c" / "_temporary").mkdir()
    (tmp_path / "c" / "_temporary" / "x.parquet").write_bytes(b"half")
    found = read(tmp_path / "c")
    key = ["crp_mg_l"]
    expected = whole.drop(columns="note").sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found.sort_values(key, ignore_index=True), expected, check_dtype=False)
    assert set(found["site"].dropna()) == {"007", "north star"}
    assert open_source(tmp_path / "c", NO_MAPPING).files == tuple(sorted((tmp_path / "c").glob("site=*/*.parquet")))


def as_polars_writes_it(folder: Path) -> pd.DataFrame:
    """As ``write_parquet(partition_by=["site", "site_number"])`` of polars 2.1: the keys in the files as well."""
    whole = frame(60).assign(site=["007", "north star", None] * 20, site_number=[1, 2, 3] * 20)
    for (site, number), rows in whole.groupby(["site", "site_number"], dropna=False):
        key = "__HIVE_DEFAULT_PARTITION__" if pd.isna(site) else str(site).replace(" ", "%20")
        place = folder / f"site={key}" / f"site_number={number}"
        place.mkdir(parents=True)
        table = pa.Table.from_pandas(rows, preserve_index=False)
        at = table.schema.get_field_index("site")
        pq.write_table(
            table.set_column(at, "site", table["site"].cast(pa.large_string())), place / "00000000.parquet"
        )
    return whole


def test_a_folder_as_polars_writes_it(tmp_path: Path) -> None:
    whole = as_polars_writes_it(tmp_path)
    found = read(tmp_path).sort_values("crp_mg_l", ignore_index=True)
    pd.testing.assert_frame_equal(found, whole.drop(columns=["note", "site_number"]), check_dtype=False)


def test_a_folder_that_contradicts_its_files(tmp_path: Path) -> None:
    as_polars_writes_it(tmp_path)
    (tmp_path / "site=007").rename(tmp_path / "site=008")
    assert "site in the file is not what its folder's name says; keep the one" in fault(tmp_path)


@pytest.mark.parametrize("cells", [[[1.0]], [{"value": 1.0}], [b"1"], [pd.Timedelta(1, "D")]])
def test_a_column_of_no_cells_is_named_unless_nobody_reads_it(tmp_path: Path, cells: list[object]) -> None:
    table = pa.Table.from_pandas(frame(1), preserve_index=False)
    pq.write_table(table.append_column("scans", pa.array(cells)), tmp_path / "unused.parquet")
    assert len(read(tmp_path / "unused.parquet")) == 1
    at = table.schema.get_field_index("crp_mg_l")
    pq.write_table(table.set_column(at, "crp_mg_l", pa.array(cells)), tmp_path / "used.parquet")
    assert "used.parquet: crp_mg_l is of a type that no cell has" in fault(tmp_path / "used.parquet")


def test_types_that_go_together_in_the_files_of_a_folder(tmp_path: Path) -> None:
    """A column of whole numbers here, of gaps there; categories as what they stand for."""
    frame(3).assign(crp_mg_l=[1, 2, 3], sex=[None] * 3).to_parquet(tmp_path / "a.parquet")
    frame(3).assign(sex=pd.Categorical(["male"] * 3)).to_parquet(tmp_path / "b.parquet")
    found = read(tmp_path)
    assert found["crp_mg_l"].tolist() == [1, 2, 3, *frame(3)["crp_mg_l"]]
    assert found["sex"].tolist()[3:] == ["male"] * 3


def test_files_that_do_not_go_together(tmp_path: Path) -> None:
    frame(3).to_parquet(tmp_path / "a.parquet")
    frame(3).assign(nlr=1.0).to_parquet(tmp_path / "b.parquet")
    assert f"{tmp_path / 'b.parquet'}: its columns are not those of {tmp_path / 'a.parquet'} (nlr)" in fault(
        tmp_path
    )
    frame(3).assign(crp_mg_l=["1", "2", "3"]).to_parquet(tmp_path / "b.parquet")
    assert "in types that do not go together" in fault(tmp_path)


def test_a_corrupt_row_group(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pandas(frame(3000)), path, row_group_size=1000, write_page_checksum=True)
    group = pq.ParquetFile(path).metadata.row_group(1)
    begin = group.column(2).data_page_offset
    data = bytearray(path.read_bytes())
    data[begin + 30 : begin + 60] = bytes(30)
    path.write_bytes(bytes(data))
    assert f"{path}: row group 1 of 3 cannot be read" in fault(path)


def test_what_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    frame(3000).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"{path}: it cannot be read" in fault(path)
    path.write_bytes(b"")
    assert f"{path}: it cannot be read" in fault(path)
    assert "no .parquet file in this folder" in fault((tmp_path / "empty").mkdir() or tmp_path / "empty")
    with pytest.raises(ScoringFault, match="No such file"):
        open_source(tmp_path / "gone.csv", NO_MAPPING)
    (tmp_path / "c.xlsx").touch()
    with pytest.raises(ScoringFault, match=r"not a \.parquet, \.csv or \.ndjson file"):
        open_source(tmp_path / "c.xlsx", NO_MAPPING)


def test_an_identifier_of_a_strange_type(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    frame(3).assign(patient_id=pd.to_datetime(["2026-01-01"] * 3)).to_parquet(path)
    assert "but of the type timestamp" in fault(path)
    mapping = ColumnMapping(
        sources={
            "patient_id": Source(("crp_mg_l", "months_since_onset"), is_sum=True),
            "months_since_onset": Source(("months_since_onset",)),
        }
    )
    assert "makes patient_id of several columns" in fault(path, mapping)
