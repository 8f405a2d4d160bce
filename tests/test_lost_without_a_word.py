"""What a table reader takes and loses without a word is refused by every command that reads a table."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.service.conftest import pack_folder

__all__ = ["pack_folder"]

MAPPING = """
[columns]
patient_id = "patient_id"
months_since_onset = "months_since_onset"
alsfrs_r_total = "alsfrs_r_total"
crp_mg_l = "CRP"
nfl_pg_ml = "CRP"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def lines(reference_frame: pd.DataFrame) -> list[str]:
    """A header and 166 visits, with an empty note at the end of each."""
    frame = reference_frame.head(166).drop(columns="provenance").assign(note="")
    return frame.to_csv(index=False).splitlines()


@pytest.fixture(params=["score", "cohort check", "train", "evaluate", "tune"])
def command(request: pytest.FixtureRequest, pack_folder: Path, tmp_path: Path) -> list[object]:
    """The command with all but its table."""
    if request.param == "score":
        return ["score", "--pack", pack_folder, "--as-of", "2026-01-01", tmp_path / "in.csv", tmp_path / "out.csv"]
    words: list[object] = [*request.param.split(), tmp_path / "in.csv"]
    return words if "check" in words else [*words, "--tracking-uri", f"sqlite:///{tmp_path / 'store.db'}"]


FAULTS = [
    (60, '"fell', 63, '5" step', "line 64, field {field} (note): text stands after the mark that ends a quoted"),
    (60, '"fell', 107, '"', "lines 61 to 108, field {field} (note): between one quotation mark and the next"),
    (60, '"fell, twice', 63, 'hurt"', "lines 61 to 64, field {field} (note): between one quotation mark"),
    (60, '"fell', 107, "ok", "line 61, field {field} (note): a quotation mark is not closed"),
    (60, "fe\0ll", 107, "ok", "line 61 holds a byte 0"),
    (60, "fe\rll", 107, "ok", "line 61 holds a carriage return within it"),
]


@pytest.mark.parametrize(("one", "begins", "other", "ends", "says"), FAULTS)
def test_a_stray_quotation_mark(
    lines: list[str], command: list[object], one: int, begins: str, other: int, ends: str, says: str, tmp_path: Path
) -> None:
    spoilt = list(lines)
    spoilt[one] += begins
    spoilt[other] += ends
    text = "\n".join(spoilt) + "\n"
    if '"' in ends:
        assert len(pd.read_csv(io.StringIO(text))) == 166 - (other - one)  # without a word
    (tmp_path / "in.csv").write_bytes(text.encode())
    result = run(*command)
    assert result.exit_code == 2, result.output
    assert says.format(field=len(lines[0].split(","))) in result.stderr
    assert "fell" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_one_header_for_two_quantities(lines: list[str], command: list[object], tmp_path: Path) -> None:
    text = "\n".join([lines[0].replace("crp_mg_l", "CRP"), *lines[1:]]) + "\n"
    (tmp_path / "in.csv").write_text(text, "utf-8")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING, "utf-8")
    result = run(*command, "--mapping", mapping)
    assert result.exit_code == 2, result.output
    assert "header 'CRP' is given to crp_mg_l and nfl_pg_ml; one header is one quantity" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "mapping.toml"]


@pytest.mark.parametrize("words", [["train"], ["score"]])
def test_strict(lines: list[str], words: list[str], pack_folder: Path, tmp_path: Path) -> None:
    text = "\n".join([lines[0].replace("nfl_pg_ml", "NfL_pg_ml"), *lines[1:]]) + "\n"
    source = tmp_path / "in.csv"
    source.write_text(text, "utf-8")
    more: list[object] = [tmp_path / "out.csv", "--pack", pack_folder]
    if words == ["train"]:
        more = ["--tracking-uri", f"sqlite:///{tmp_path / 'store.db'}"]
    result = run(*words, source, *more, "--strict")
    assert result.exit_code == 2, result.output
    assert "header 'NfL_pg_ml' is no column of the vocabulary and is not read, but is like nfl" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]
