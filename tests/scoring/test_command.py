"""``tregcast score``: what it says, its exit codes, and what it refuses."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from features.version import VERSION
from scoring.fault import InputFault
from scoring.runs.progress import Step
from tests.scoring.command import AS_OF, KNOWN, ROOT, command, files_of, here, interrupted
from tests.scoring.conftest import Score


@pytest.fixture
def ran(pack_folder: Path, tmp_path: Path) -> object:
    """Runs the command in this process; the output is out/a.csv."""
    (tmp_path / "out").mkdir()

    def run(source: Path, *more: object) -> Result:
        return here(source, tmp_path / "out" / "a.csv", "--pack", pack_folder, *AS_OF, *more)

    return run


def test_the_three_files(visits_file: Path, pack_folder: Path, tmp_path: Path, ran) -> None:
    result = ran(visits_file)
    assert result.exit_code == 0, result.output
    files = files_of(tmp_path / "out")
    assert list(files) == ["a.csv", "a.rejects.csv", "a.summary.json"]
    said = json.loads(files["a.summary.json"])
    rows = pq.read_metadata(visits_file).num_rows
    assert said["rows"] == {"in": rows, "answered_or_abstained": rows, "rejected": 0}
    assert sum(said["outcomes"].values()) == rows
    answers = pd.read_csv(tmp_path / "out" / "a.csv")
    assert answers["outcome"].value_counts().to_dict() == {k: v for k, v in said["outcomes"].items() if v}
    codes = answers.loc[answers["outcome"] == "prediction_with_cautions", "reasons"].str.split().explode()
    assert codes.value_counts().to_dict() == said["cautions"]
    rates = answers["progression_rate"].dropna()
    assert said["bands"] == {
        "slow": int((rates < 0.5).sum()),
        "intermediate": int(((rates >= 0.5) & (rates <= 1.0)).sum()),
        "fast": int((rates > 1.0).sum()),
    }
    assert said["tregcast"] == VERSION
    assert said["settings"] == {"explain": "top5", "coverage": 0.9, "as_of": "2026-01-01"}
    assert f"{rows} rows in" in result.stdout
    assert "scoring  100 %" in result.stderr
    assert "sim-0" not in result.output


def test_rejects_and_the_exit_code(visits: pd.DataFrame, tmp_path: Path, ran) -> None:
    wrong = visits.assign(crp_mg_l=visits["crp_mg_l"].astype(object))
    wrong.loc[[0, 70], "crp_mg_l"] = "secret"
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    rejected = int(wrong["patient_id"].isin(wrong.loc[[0, 70], "patient_id"]).sum())
    assert ran(tmp_path / "wrong.csv").exit_code == 3
    assert len(pd.read_csv(tmp_path / "out" / "a.rejects.csv")) == rejected
    share = 100 * rejected / len(wrong)
    for limit, code in ((str(rejected), 0), (str(rejected - 1), 3), (f"{share + 0.1}%", 0), (f"{share - 0.1}%", 3)):
        result = ran(tmp_path / "wrong.csv", "--max-rejects", limit, "--overwrite")
        assert result.exit_code == code, limit
        assert "secret" not in result.output
    rejects = pd.read_csv(tmp_path / "out" / "a.rejects.csv")
    assert set(rejects["codes"]) == {"wrong_type"}
    assert rejects["problems"].str.contains('crp_mg_l = "secret" is not a number').all()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--max-rejects", "-1"], "no number of rows and no percentage"),
        (["--max-rejects", "101%"], "no number of rows and no percentage"),
        (["--as-of", "1.9.2026"], "--as-of 1.9.2026 is not a day; give YYYY-MM-DD"),
        (["--coverage", "1"], "0<x<1"),
        (["--rejects", "a.xlsx"], "a.xlsx: not a .parquet, .csv or .ndjson file"),
        (["--rejects", "/nowhere/a.csv"], "/nowhere/a.csv: its folder is not there; make it first"),
        (["--pack", "nowhere"], "nowhere"),
    ],
)
def test_what_is_asked_wrongly(visits_file: Path, tmp_path: Path, ran, more: list[str], says: str) -> None:
    result = ran(visits_file, *more)
    assert result.exit_code == 2
    assert says in result.stderr
    assert files_of(tmp_path / "out") == {}


def test_an_output_that_is_there(visits_file: Path, tmp_path: Path, ran) -> None:
    (tmp_path / "out" / "a.rejects.csv").write_text("mine")
    result = ran(visits_file)
    assert result.exit_code == 2
    assert "a.rejects.csv: there already; name another output, or give --overwrite" in result.stderr
    assert files_of(tmp_path / "out") == {"a.rejects.csv": b"mine"}
    assert ran(visits_file, "--overwrite").exit_code == 0
    before = files_of(tmp_path / "out")
    assert ran(visits_file, "--resume").exit_code == 2
    assert ran(visits_file, "--resume", "--overwrite").exit_code == 0
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_an_output_that_is_there_and_is_never_written_through(
    visits_file: Path, tmp_path: Path, ran, dangling: bool
) -> None:
    link, target = tmp_path / "out" / "a.csv", tmp_path / "precious.csv"
    link.symlink_to(target)
    if not dangling:
        target.write_text("mine")
    result = ran(visits_file)
    assert result.exit_code == 2
    assert "a.csv: there already" in result.stderr
    assert ran(visits_file, "--overwrite").exit_code == 0
    assert not link.is_symlink()
    assert len(pd.read_csv(link)) > 0
    assert target.exists() is not dangling
    assert dangling or target.read_text() == "mine"


@pytest.mark.parametrize("place", ["full", "closed"])
def test_a_summary_that_cannot_be_printed_spoils_nothing(
    visits_file: Path, pack_folder: Path, tmp_path: Path, place: str
) -> None:
    asked = command(visits_file, tmp_path / "a.csv", "--pack", pack_folder, *AS_OF)
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full:
        out = full if place == "full" else writer
        process = subprocess.run(
            asked, env=KNOWN, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    os.close(writer)
    assert process.returncode == 0, process.stderr
    why = "No space left on device" if place == "full" else "Broken pipe"
    assert f"Warning: standard output cannot be written ({why}); the files are in their place" in process.stderr
    assert "Traceback" not in process.stderr
    summary = json.loads((tmp_path / "a.summary.json").read_bytes())
    assert summary["rows"]["answered_or_abstained"] == len(pd.read_csv(tmp_path / "a.csv"))


def test_the_day_of_a_run_is_the_day_of_the_clock_here(
    visits_file: Path, pack_folder: Path, tmp_path: Path
) -> None:
    before = date.today()
    assert here(visits_file, tmp_path / "a.csv", "--pack", pack_folder).exit_code == 0
    told = json.loads((tmp_path / "a.summary.json").read_bytes())["settings"]["as_of"]
    assert told in {before.isoformat(), date.today().isoformat()}


def test_identifiers_that_mean_nothing_elsewhere_keep_their_history(
    visits: pd.DataFrame, pack_folder: Path, tmp_path: Path
) -> None:
    """The same answers from CSV as from Parquet, and all that is easily mistaken is counted."""
    names = dict(zip(visits["patient_id"].unique(), ["NA", "null", " 12", "007", "1e5", None], strict=False))
    whose = visits["patient_id"].map(lambda name: names.get(name, name))
    table = visits.assign(patient_id=whose)
    found, told = {}, ""
    for form in ("csv", "parquet"):
        source = tmp_path / f"in.{form}"
        table.to_csv(source, index=False) if form == "csv" else table.to_parquet(source, index=False)
        result = here(source, tmp_path / f"{form}.parquet", "--pack", pack_folder, *AS_OF)
        assert result.exit_code in {0, 3}
        told = result.output
        found[form] = pq.read_table(tmp_path / f"{form}.parquet").to_pylist()
        summary = json.loads((tmp_path / f"{form}.summary.json").read_bytes())
        assert summary["identifiers"] == {
            "rows_without": int(whose.isna().sum()),
            "rows_with_surrounding_blanks": int((whose == " 12").sum()),
            "rows_like_a_missing_value": int(whose.isin(["NA", "null"]).sum()),
        }
    assert found["csv"] == found["parquet"]
    assert "rows_without " in told


def test_an_output_in_the_place_of_the_input(visits_file: Path, tmp_path: Path, ran) -> None:
    assert "it is, or is in, the input" in ran(visits_file, "--rejects", visits_file, "--overwrite").stderr
    folder = tmp_path / "out"
    (folder / "c.parquet").write_bytes(visits_file.read_bytes())
    assert "it is, or is in, the input" in ran(folder).stderr
    assert "need a file each" in ran(visits_file, "--rejects", folder / "a.csv").stderr


def test_a_fault_in_the_middle_leaves_nothing(visits: pd.DataFrame, tmp_path: Path, ran) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pandas(visits), path, row_group_size=50, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    begin = pq.ParquetFile(path).metadata.row_group(2).column(visits.columns.get_loc("nfl_pg_ml")).data_page_offset
    data[begin + 20 : begin + 40] = bytes(20)
    path.write_bytes(bytes(data))
    result = ran(path, "--chunk-rows", "10")
    assert result.exit_code == 2
    assert f"{path}: row group 2 of 3 cannot be read" in result.stderr
    assert files_of(tmp_path / "out") == {}


def test_a_second_run_on_one_output_is_refused(visits_file: Path, tmp_path: Path, ran) -> None:
    work = tmp_path / "out" / ".a.csv.parts"
    work.mkdir()
    with (work / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for more in ([], ["--resume"], ["--overwrite"]):
            result = ran(visits_file, *more)
            assert result.exit_code == 2
            assert "another run writes this output now" in result.stderr
    assert ran(visits_file).exit_code == 0


def test_a_failure_that_nobody_foresaw(visits_file: Path, pack_folder: Path, tmp_path: Path, ran) -> None:
    """A finished part is spoilt while a killed run waits to be resumed: kind and place are told, not the words."""
    work = tmp_path / "out" / ".a.csv.parts"
    (tmp_path / "out").mkdir(exist_ok=True)
    asked = [visits_file, tmp_path / "out" / "a.csv", "--pack", pack_folder, *AS_OF, "--chunk-rows", 8]
    part = work / "part-00000000.answers.arrow"
    interrupted(asked, signal.SIGKILL, part.exists)
    part.write_bytes(b"secret" * 100)
    result = ran(visits_file, "--chunk-rows", "8", "--resume")
    assert result.exit_code == 1
    assert "Error: ArrowInvalid in " in result.stderr
    assert "secret" not in result.output
    assert not (tmp_path / "out" / "a.csv").exists()
    part.unlink()
    assert ran(visits_file, "--chunk-rows", "8", "--resume").exit_code == 0


def test_an_input_that_changes_while_it_is_read(visits: pd.DataFrame, tmp_path: Path, scored: Score) -> None:
    source = tmp_path / "c.csv"
    visits.to_csv(source, index=False)
    (tmp_path / "out").mkdir()

    def changing(step: Step) -> None:
        if step.words == "scoring" and step.share == 1:
            with source.open("a") as file:
                file.write("\n")

    with pytest.raises(InputFault, match="it was changed while it was read; run again"):
        scored(source, tmp_path / "out" / "a.csv", progress=changing)
    assert files_of(tmp_path / "out") == {}


MAPPING = """
[columns]
patient_id = "ID"
months_since_onset = "Month"
alsfrs_r_total = "Score"
crp_mg_l = { header = "CRP", unit = "mg/dL" }
sex = { header = "Sex", values = { F = "female", M = "male" } }
"""


def test_a_mapping(tmp_path: Path, ran, scored: Score) -> None:
    (tmp_path / "m.toml").write_text(MAPPING)
    rows = "7,12,40,0.82,F,x\n7,15,38,,F,y\n8,9,44,<0.1,M,z\n9,9,44,1,D,z\n"
    (tmp_path / "c.csv").write_text("ID,Month,Score,CRP,Sex,Ward\n" + rows)
    assert ran(tmp_path / "c.csv", "--mapping", tmp_path / "m.toml").exit_code == 3
    said = json.loads((tmp_path / "out" / "a.summary.json").read_text())
    assert said["problems"] == {"unknown_value": 1}
    assert len(said["mapping_digest"]) == 64
    plain = "patient_id,months_since_onset,alsfrs_r_total,crp_mg_l,sex\n"
    plain += "7,12,40,8.2,female\n7,15,38,,female\n8,9,44,<1,male\n"
    (tmp_path / "plain.csv").write_text(plain)
    scored(tmp_path / "plain.csv", tmp_path / "plain.out.csv")
    assert (tmp_path / "out" / "a.csv").read_bytes() == (tmp_path / "plain.out.csv").read_bytes()
    (tmp_path / "m.toml").write_text(MAPPING.replace('"Score"', '"Points"'))
    result = ran(tmp_path / "c.csv", "--mapping", tmp_path / "m.toml", "--overwrite")
    assert (result.exit_code, "the mapping names Points" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--engine", "spark", "--resume", "--workers", "2"], "--resume, --workers: only with --engine local"),
        (["--master", "local[2]"], "--master: only with --engine spark"),
    ],
)
def test_options_of_the_other_engine_are_refused(visits_file: Path, ran, more: list[str], says: str) -> None:
    result = ran(visits_file, *more)
    assert result.exit_code == 2
    assert says in result.output


def test_a_coverage_that_the_pack_cannot_give(visits_file: Path, tmp_path: Path, ran) -> None:
    result = ran(visits_file, "--coverage", "0.995")
    assert result.exit_code == 2
    assert "coverage 0.995 needs at least 399 residuals; there are 300" in result.stderr
    assert "ask for a lower --coverage" in result.stderr
    assert files_of(tmp_path / "out") == {}
