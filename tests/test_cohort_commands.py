"""``tregcast cohort check`` and ``template``: exit codes, reports, and that a filled template is a good cohort."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli import main
from features.table import COMPARATOR, known_columns
from features.units import outside
from features.vocabulary import vocabulary
from training.cohort import read_cohort
from training.contract.contract import check
from training.contract.template import dictionary

HEADERS = ["patient_id", "months_since_onset", "alsfrs_r_total"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def bad_file(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five rows refused, one warned of, and an identifier that is markup."""
    frame = reference_frame.copy()
    frame["patient_id"] = frame["patient_id"].replace("sim-000002", "<script>alert('x')</script>&")
    frame.loc[frame["patient_id"].str.startswith("<script>"), "sex"] = "<b>F</b>"
    frame.loc[[100, 120, 140, 160], "alsfrs_r_total"] = 99
    frame = frame.rename(columns={"crp_mg_l": "<CRP>"})
    path = tmp_path_factory.mktemp("bad") / "bad.csv"
    frame.to_csv(path, index=False)
    return path


# ---------------------------------------------------------------------------------------------------------- check


def test_exit_codes(reference_file: Path, reference_frame: pd.DataFrame, bad_file: Path, tmp_path: Path) -> None:
    assert run("cohort", "check", reference_file).exit_code == 0
    warned = tmp_path / "warned.csv"
    reference_frame.rename(columns={"crp_mg_l": "CRP"}).to_csv(warned, index=False)
    assert run("cohort", "check", warned).exit_code == 3
    assert run("cohort", "check", bad_file).exit_code == 4
    broken = tmp_path / "broken.csv"
    broken.write_text(";".join(HEADERS))
    result = run("cohort", "check", broken)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {broken}: cannot be read: its columns are separated by semicolons")
    help_text = " ".join(run("cohort", "check", "--help").stdout.split())
    assert "Exit code: 0 no error and no warning, 3 warnings, 4 errors, 2 the file" in help_text


def test_the_terminal_shows_a_few_of_each_and_how_many_there_are(bad_file: Path) -> None:
    text = run("cohort", "check", bad_file).stdout
    assert "SIMULATED" in text
    assert "Found: 5 errors, 1 warning, 0 notes" in text
    assert "ERROR   out_of_range (4): alsfrs_r_total" in text
    assert "  row 101 (line 102), patient " in text
    assert "  ... and 1 more (--json has them all)" in text
    assert "of 160 patients have one, at" in text


def test_columns_are_listed_when_asked_for(reference_file: Path) -> None:
    assert "nfl_pg_ml" not in run("cohort", "check", reference_file).stdout
    assert re.search(
        r"\nnfl_pg_ml +\d+ +\d+  14.1 .* pg/mL\n", run("cohort", "check", reference_file, "--columns").stdout
    )


def test_the_json_report_holds_everything(bad_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.json"
    assert run("cohort", "check", bad_file, "--json", out).exit_code == 4
    report = json.loads(out.read_text("utf-8"))
    assert (report["format"], report["format_version"]) == ("tregcast-cohort-check", 1)
    assert (report["exit_code"], report["counts"]) == (4, {"error": 5, "warning": 1, "note": 0})
    assert report["cohort"]["simulated"] is True
    assert report["cohort"]["patients"] == 160
    found = check(bad_file)
    assert len(report["findings"]) == len(found.findings) == 6
    scores = [each for each in report["findings"] if each["column"] == "alsfrs_r_total"]
    assert [(each["row"], each["line"]) for each in scores] == [(101, 102), (121, 122), (141, 142), (161, 162)]
    assert {each["value"] for each in scores} == {"99 points"}
    assert set(scores[0]) == {
        "severity",
        "code",
        "rule",
        "remedy",
        "column",
        "row",
        "line",
        "patient_id",
        "value",
    }
    assert report["unused_headers"] == {"<CRP>": ["crp_mg_l"]}
    assert {column["column"] for column in report["columns"]} == {column.column for column in found.columns}
    assert report["outcome"]["patients_with"] == read_cohort(bad_file).report.patients_with_outcome


class Page(HTMLParser):
    """The tags of a page, and all its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_and_runs_nothing(bad_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    run("cohort", "check", bad_file, "--html", out)
    page = Page()
    page.feed(out.read_text("utf-8"))
    assert not {"script", "link", "img", "iframe", "crp"} & set(page.tags)
    assert not {"src", "href", "onload"} & {name for name, _ in page.attributes}
    assert "http" not in out.read_text("utf-8")
    assert "<script>alert('x')</script>&" in page.text  # shown, not run
    assert "<b>F</b>" in page.text
    assert "SIMULATED" in page.text
    drawn = sum(column.histogram is not None for column in check(bad_file).columns)
    assert page.tags.count("svg") == drawn > 30


def test_a_report_that_cannot_be_written(reference_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("cohort", "check", reference_file, "--html", tmp_path / "file" / "report.html")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: the report cannot be written: ")


def test_first_index_visits(reference_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "first.json"
    run("cohort", "check", reference_file, "--index-visits", "first", "--json", out)
    outcome = json.loads(out.read_text("utf-8"))["outcome"]
    assert outcome["index_visits"] == outcome["patients_with"] > 100


# -------------------------------------------------------------------------------------------------------- template


def test_the_template_has_every_column_once(tmp_path: Path) -> None:
    out = tmp_path / "cohort.csv"
    result = run("cohort", "template", out)
    assert result.exit_code == 0
    with out.open(newline="") as file:
        [headers] = list(csv.reader(file))
    expected = {column for column in known_columns() if not column.endswith(COMPARATOR)} | {"provenance"}
    assert len(headers) == len(set(headers))
    assert set(headers) == expected
    assert headers[:2] == ["patient_id", "site"]
    assert (tmp_path / "cohort-dictionary.md").is_file()


def test_the_dictionary_against_the_vocabulary(tmp_path: Path) -> None:
    run("cohort", "template", tmp_path / "c.csv", "--dictionary", tmp_path / "d.csv")
    entries = {row["column"]: row for row in pd.read_csv(tmp_path / "d.csv", dtype=str).to_dict("records")}
    assert (entries["crp_mg_l"]["unit"], entries["crp_mg_l"]["plausible_range"]) == ("mg/L", "0 to 500")
    assert entries["crp_mg_l"]["other_units"].split(", ") == ["mg/dL", "ug/mL", "ug/L", "ng/mL"]
    assert entries["sex"]["allowed_values"] == "female, male"
    assert entries["patient_id"]["required"] == "yes"
    assert (entries["age_years"]["level"], entries["riluzole"]["level"]) == ("patient", "visit")
    for column, quantity in vocabulary().by_column.items():
        assert outside(quantity, float(entries[column]["example"])) is None
    markdown = tmp_path / "d.md"
    run("cohort", "template", tmp_path / "c.csv", "--dictionary", markdown)
    assert sum(line.startswith("| ") for line in markdown.read_text("utf-8").splitlines()) == len(entries) + 2


def test_a_template_filled_with_its_examples_breaks_no_rule(tmp_path: Path) -> None:
    run("cohort", "template", tmp_path / "c.csv")
    frame = pd.read_csv(tmp_path / "c.csv", dtype=str)
    frame.loc[0] = {entry.column: entry.example for entry in dictionary()}
    frame.to_csv(tmp_path / "c.csv", index=False)
    found = check(tmp_path / "c.csv")
    assert [each for each in found.findings if each.severity != "note"] == [
        each for each in found.findings if each.code == "too_few_outcomes"
    ]


def test_a_template_filled_from_the_reference_cohort_is_a_good_cohort(
    reference_frame: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "filled.csv"
    run("cohort", "template", out)
    headers = list(pd.read_csv(out).columns)
    limits = [column for column in reference_frame.columns if column.endswith(COMPARATOR)]
    cells = reference_frame.drop(columns=limits).astype(object)
    for column in limits:  # as a person writes it
        below = reference_frame[column] == "<"
        name = column.removesuffix(COMPARATOR)
        cells.loc[below, name] = "<" + reference_frame.loc[below, name].astype(str)
    cells.reindex(columns=headers).to_csv(out, index=False)
    assert run("cohort", "check", out).exit_code == 0
    filled, reference = read_cohort(out), tmp_path / "reference.csv"
    reference_frame.to_csv(reference, index=False)
    assert filled.examples == read_cohort(reference).examples


@pytest.mark.parametrize(("out", "beside"), [("c.xlsx", "d.md"), ("c.csv", "d.docx")])
def test_endings_that_are_not_written(tmp_path: Path, out: str, beside: str) -> None:
    result = run("cohort", "template", tmp_path / out, "--dictionary", tmp_path / beside)
    assert result.exit_code == 2
    assert "not a .csv" in result.stderr
