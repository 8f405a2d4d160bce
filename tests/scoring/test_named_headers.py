"""A header that is not read is named, and one that is like a missing column is a warning or, asked for, the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from tests.scoring.command import AS_OF, here

RECORD = '{"months_since_onset":{"value":12,"unit":"mo"},"alsfrs_r_total":{"value":40,"unit":"{score}"}}'
Ran = Callable[..., Result]


@pytest.fixture
def ran(pack_folder: Path, tmp_path: Path) -> Ran:
    """Runs the command on a table as CSV or Parquet; the output is OUT.csv."""

    def run(frame: pd.DataFrame, ending: str, *more: object) -> Result:
        source = tmp_path / f"in{ending}"
        frame.to_csv(source, index=False) if ending == ".csv" else frame.to_parquet(source, index=False)
        return here(source, tmp_path / "out.csv", "--pack", pack_folder, *AS_OF, "--overwrite", *more)

    return run


@pytest.fixture
def misspelt(visits: pd.DataFrame) -> pd.DataFrame:
    frame = visits.rename(columns={"nfl_pg_ml": "NfL_pg_ml"}).drop(columns="provenance")
    return frame.assign(ward="x", nfl_date="y")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_misspelt_header_is_named_by_the_summary_and_standard_error(
    misspelt: pd.DataFrame, visits: pd.DataFrame, ending: str, ran: Ran, tmp_path: Path
) -> None:
    right = ran(visits.drop(columns="provenance"), ending)
    assert "Warning" not in right.output
    before = pd.read_csv(tmp_path / "out.csv")
    result = ran(misspelt, ending)
    assert result.exit_code == 0, result.output
    after = pd.read_csv(tmp_path / "out.csv")
    assert (before["progression_rate"] - after["progression_rate"]).abs().max() > 0.05  # which nothing else tells
    said = json.loads((tmp_path / "out.summary.json").read_bytes())["headers"]
    assert said["not_read"] == ["NfL_pg_ml", "ward", "nfl_date"]
    assert said["near"] == {"NfL_pg_ml": ["nfl_pg_ml"]}
    assert sorted([*said["read"], *said["not_read"]]) == sorted(misspelt.columns)
    assert "headers not read: NfL_pg_ml, ward, nfl_date" in result.stderr
    warning = "Warning: header 'NfL_pg_ml' is no column of the vocabulary and is not read, but is like nfl_pg_ml"
    assert warning in result.stderr
    assert warning in result.stdout
    assert "sim-0" not in result.output


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_strict_ends_before_anything_is_scored(
    misspelt: pd.DataFrame, ending: str, ran: Ran, tmp_path: Path
) -> None:
    result = ran(misspelt, ending, "--strict")
    assert result.exit_code == 2
    assert "header 'NfL_pg_ml' is no column of the vocabulary" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in{ending}"]
    good = ran(misspelt.rename(columns={"NfL_pg_ml": "nfl_pg_ml"}), ending, "--strict")
    assert good.exit_code == 0, good.output


def test_a_mapping_that_leaves_a_column_out_is_told_and_may_do_so_on_purpose(
    visits: pd.DataFrame, ran: Ran, tmp_path: Path
) -> None:
    mapping = tmp_path / "m.toml"
    columns = "[columns]\n" + "".join(
        f'{name} = "{name}"\n' for name in ("patient_id", "months_since_onset", "alsfrs_r_total", "sex")
    )
    few = visits[["patient_id", "months_since_onset", "alsfrs_r_total", "sex", "crp_mg_l"]]
    mapping.write_text(columns, "utf-8")
    result = ran(few, ".csv", "--mapping", mapping)
    assert result.exit_code == 0, result.output
    assert "header 'crp_mg_l' is a column of the vocabulary, but the mapping leaves it out" in result.stderr
    assert ran(few, ".csv", "--mapping", mapping, "--strict").exit_code == 2
    mapping.write_text("ignore = ['crp_mg_l']\n" + columns, "utf-8")
    result = ran(few, ".csv", "--mapping", mapping, "--strict")
    assert result.exit_code == 0, result.output
    assert "Warning" not in result.stderr
    assert json.loads((tmp_path / "out.summary.json").read_bytes())["headers"]["not_read"] == ["crp_mg_l"]


def test_what_the_pack_has_no_feature_of_and_rows_without_patients_are_told(
    visits: pd.DataFrame, ran: Ran, tmp_path: Path
) -> None:
    frame = visits.drop(columns=["patient_id", "provenance"]).assign(svc_pct=80.0)
    result = ran(frame, ".csv", "--strict")
    assert result.exit_code == 0, result.output
    assert "no patient_id is read: each row is a patient of its own" in result.stderr
    assert "svc_pct" in json.loads((tmp_path / "out.summary.json").read_bytes())["headers"]["no_feature"]
    assert "nfl_pg_ml" not in json.loads((tmp_path / "out.summary.json").read_bytes())["headers"]["no_feature"]


def test_records_have_no_headers(pack_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_text(RECORD + "\n", "utf-8")
    result = here(tmp_path / "in.ndjson", tmp_path / "o.csv", "--pack", pack_folder, *AS_OF, "--strict")
    assert result.exit_code == 3  # an unknown key is a problem of its record
    assert json.loads((tmp_path / "o.summary.json").read_bytes())["headers"] is None


def test_one_header_for_two_quantities_is_refused(visits: pd.DataFrame, ran: Ran, tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[columns]\nmonths_since_onset = "months_since_onset"\ncrp_mg_l = "CRP"\nnfl_pg_ml = "CRP"\n', "utf-8"
    )
    result = ran(visits.rename(columns={"crp_mg_l": "CRP"}), ".csv", "--mapping", mapping)
    assert result.exit_code == 2
    assert "header 'CRP' is given to crp_mg_l and nfl_pg_ml; one header is one quantity" in result.stderr
