"""``tregcast score --report``: figures are those of the files; the page asks for nothing and names no patient."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from cli import main
from features.mapping import ColumnMapping
from model.pack import write_pack
from scoring.report.chosen import chosen
from scoring.report.histogram import Histogram
from scoring.report.trained_on import trained_on
from scoring.sources.opening import open_source
from tests.service.conftest import pack_folder, small_contents

__all__ = ["pack_folder"]

ENDINGS = ("csv", "csv.gz", "parquet", "ndjson")


class Cells(HTMLParser):
    """The cells of every row of every table, all text, and every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._in_cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")
            self._in_cell = True
        if tag == "small":
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in {"th", "td"}

    def row(self, head: str, after: str = "") -> list[str]:
        """The cells beside the first such head below a row that begins with ``after``."""
        begin = next((at for at, row in enumerate(self.rows) if row[0].startswith(after)), 0) if after else 0
        return next(row[1:] for row in self.rows[begin:] if row[0].startswith(head))


def score(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments), "--as-of", "2026-12-31"])


def page_of(report: Path) -> Cells:
    return Cells(report.read_text("utf-8"))


def answers_of(out: Path) -> pd.DataFrame:
    if out.name.endswith("parquet"):
        return pd.read_parquet(out)
    return pd.read_json(out, lines=True) if out.name.endswith("ndjson") else pd.read_csv(out)


def came_after(visits: pd.DataFrame) -> pd.Series:
    """Points lost a month over the next twelve, by NumPy's line through the scores, by number of the row."""
    found = {}
    for _, own in visits.groupby("patient_id"):
        for at, month in own["months_since_onset"].items():
            later = own[own["months_since_onset"].between(month, month + 12.1)].dropna(subset=["alsfrs_r_total"])
            if at in later.index and np.ptp(later["months_since_onset"]) >= 2.9:
                line = np.polyfit(later["months_since_onset"], later["alsfrs_r_total"], 1)
                found[visits.index.get_loc(at) + 1] = -line[0]
    return pd.Series(found, name="observed")


@pytest.fixture(scope="module")
def visits(reference_frame: pd.DataFrame) -> pd.DataFrame:
    """Of 100 patients, in no order, with identifiers that would be found on a page."""
    few = reference_frame["patient_id"].unique()[:100]
    frame = reference_frame[reference_frame["patient_id"].isin(few)].sample(frac=1.0, random_state=3)
    return frame.assign(patient_id="Who-" + frame["patient_id"].astype(str) + "-is").reset_index(drop=True)


@pytest.fixture(scope="module")
def source(visits: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("visits") / "visits.parquet"
    visits.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_figures_are_those_of_the_answers_and_of_what_came(ending, visits, source, pack_folder, tmp_path) -> None:
    out, report = tmp_path / f"out.{ending}", tmp_path / "r.html"
    result = score(source, out, "--pack", pack_folder, "--coverage", 0.8, "--report", report)
    assert result.exit_code == 0, result.output
    answers = answers_of(out)
    known = answers.dropna(subset=["progression_rate"]).set_index("row")
    both = known.join(came_after(visits), how="inner").sort_values("progression_rate", kind="stable")
    assert len(both) > 150
    page = page_of(report)
    rate, observed = both["progression_rate"], both["observed"]
    inside = observed.between(both["interval_lower"], both["interval_upper"])
    told = {
        head: float(page.row(head, "R2")[0].split()[0]) for head in ("R2", "RMSE", "MAE", "share of", "mean width")
    }
    assert told["R2"] == pytest.approx(r2_score(observed, rate), abs=6e-4)
    assert told["RMSE"] == pytest.approx(np.sqrt(((rate - observed) ** 2).mean()), abs=6e-4)
    assert told["MAE"] == pytest.approx((rate - observed).abs().mean(), abs=6e-4)
    assert told["share of"] == pytest.approx(inside.mean(), abs=6e-4)
    assert told["mean width"] == pytest.approx((both["interval_upper"] - both["interval_lower"]).mean(), abs=6e-4)
    for number, tenth in enumerate(np.array_split(np.arange(len(both)), 10), 1):
        count, predicted, came = page.row(str(number), "Group")
        assert int(count) == len(tenth)
        assert float(predicted) == pytest.approx(rate.iloc[tenth].mean(), abs=6e-4)
        assert float(came.split()[0]) == pytest.approx(observed.iloc[tenth].mean(), abs=6e-4)
    band = pd.cut(rate, [-np.inf, np.nextafter(0.5, 0), 1.0, np.inf], labels=["slow", "intermediate", "fast"])
    for name, of_band in inside.groupby(band, observed=True):
        if len(of_band) >= 20:
            count, share, *_ = page.row(str(name), "R2")
            assert (int(count), share) == (len(of_band), f"{of_band.mean():.1%}")
    assert f"{len(both):,} of them an answer too" in page.text


def test_counts_and_rates_are_those_of_the_files(visits, source, pack_folder, tmp_path) -> None:
    frame = visits.copy()
    frame.loc[[3, 50], "age_years"] = 700.0  # rejected, with all rows of these patients
    source = tmp_path / "faulty.csv"
    frame.to_csv(source, index=False)
    out, report = tmp_path / "out.parquet", tmp_path / "r.html"
    result = score(source, out, "--pack", pack_folder, "--report", report, "--max-rejects", "100%")
    assert result.exit_code == 0, result.output
    answers, page = pd.read_parquet(out), page_of(report)
    counts = answers["outcome"].value_counts()
    rejected = frame["patient_id"].isin(frame.loc[[3, 50], "patient_id"]).sum()
    for head, count in (
        ("answered, without", counts.get("prediction", 0)),
        ("answered, with cautions", counts.get("prediction_with_cautions", 0)),
        ("understood", counts.get("abstained", 0)),
        ("rejected", rejected),
    ):
        assert page.row(head) == [f"{count:,}", f"{count / len(frame):.1%}"]
    rate = answers["progression_rate"].dropna()
    for band, inside in (("slow", rate < 0.5), ("intermediate", rate.between(0.5, 1.0)), ("fast", rate > 1.0)):
        assert page.row(band)[1:] == [f"{inside.sum():,}", f"{inside.mean():.1%}"]
    width = answers["interval_upper"] - answers["interval_lower"]
    for head, values in (("predicted rate", rate), ("width of the interval", width.dropna())):
        exact = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], method="inverted_cdf")
        assert [float(cell) for cell in page.row(head)] == pytest.approx(exact.tolist(), abs=0.0101)
    assert hashlib.sha256(source.read_bytes()).hexdigest() not in page.text  # but that of the list of digests
    summary = json.loads((tmp_path / "out.summary.json").read_text())
    assert summary["input_digest"] in page.text
    assert summary["pack"]["id"] in page.text


def test_the_page_asks_for_nothing_and_names_no_patient(visits, pack_folder, tmp_path) -> None:
    source = tmp_path / "a<b>&'c.csv"
    visits.assign(site="Ward-of-St-Mary").to_csv(source, index=False)
    report = tmp_path / "r.html"
    assert score(source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report).exit_code == 0
    text, page = report.read_text("utf-8"), page_of(report)
    assert not {"script", "link", "img", "iframe", "object", "b&"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|//[a-z]|@import", text)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    for _, attributes in page.elements:
        assert not {"src", "srcset", "action"} & set(attributes)
        assert all((value or "").startswith("#") for name, value in attributes.items() if name.endswith("href"))
    assert "a<b>&'c.csv" in page.text
    assert "a<b>" not in text
    assert not [identity for identity in visits["patient_id"].unique() if identity in text]
    assert "Who-" not in text
    assert "St-Mary" not in text
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(pictures) == 3
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in pictures)
    assert "Trained on simulated patients <b>only</b>" in page.text


@pytest.mark.parametrize("kind", ["one visit", "nobody named", "records"])
def test_without_later_visits_the_page_says_so(kind, visits, pack_folder, tmp_path) -> None:
    source = tmp_path / ("in.ndjson" if kind == "records" else "in.csv")
    if kind == "records":
        record = json.loads((Path(__file__).parents[2] / "examples" / "patient.json").read_text())
        source.write_text("\n".join([json.dumps(record)] * 5))
    else:
        first = visits.drop_duplicates("patient_id")
        (first if kind == "one visit" else first.drop(columns="patient_id")).to_csv(source, index=False)
    report = tmp_path / "r.html"
    assert score(source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report).exit_code == 0
    page = page_of(report)
    assert "Nothing can be observed" in page.text
    assert "Calibration slope" not in page.text


def test_too_few_patients_are_not_judged(visits, pack_folder, tmp_path) -> None:
    few = visits["patient_id"].unique()[:10]
    source, report = tmp_path / "in.csv", tmp_path / "r.html"
    visits[visits["patient_id"].isin(few)].to_csv(source, index=False)
    assert score(source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report).exit_code == 0
    assert "too little to judge" in page_of(report).text
    assert "Calibration slope" not in page_of(report).text


def test_no_answer_at_all_is_a_page_too(visits, pack_folder, tmp_path) -> None:
    source, report = tmp_path / "in.csv", tmp_path / "r.html"
    visits.assign(age_years=700.0).to_csv(source, index=False)
    assert score(source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report).exit_code == 3
    assert "No row was answered" in page_of(report).text


@pytest.mark.parametrize("kind", ["same", "alike", "other"])
def test_a_pack_trained_on_this_file_is_a_loud_warning(kind, visits, source, tmp_path) -> None:
    digest = hashlib.sha256(source.read_bytes()).hexdigest() if kind == "same" else "1" * 64
    rows = len(visits) if kind == "alike" else 1
    cohort = {"name": "c", "digest": digest, "file": source.name, "rows": rows}
    contents = small_contents()
    pack = tmp_path / "pack"
    write_pack(pack, replace(contents, card={**contents.card, "cohort": cohort}))
    report = tmp_path / "r.html"
    result = score(source, tmp_path / "o.csv", "--pack", pack, "--report", report)
    assert result.exit_code == 0
    page = page_of(report)
    assert page.text.count("Warning: ") == (0 if kind == "other" else 2)
    assert ("Warning: the pack was trained on this cohort" in result.stderr) == (kind != "other")
    assert ("cannot be checked" in page.text) == (kind == "other")


def test_a_folder_is_judged_as_the_file_is(visits, source, pack_folder, tmp_path) -> None:
    folder = tmp_path / "visits"
    for number, part in enumerate(np.array_split(np.arange(len(visits)), 3)):
        (folder / f"site={number}").mkdir(parents=True)
        visits.drop(columns="site").iloc[part].to_parquet(folder / f"site={number}" / "part.parquet", index=False)
    pages = []
    for read in (source, folder):
        report = tmp_path / f"{read.name}.html"
        assert score(read, tmp_path / f"{read.name}.csv", "--pack", pack_folder, "--report", report).exit_code == 0
        pages.append(page_of(report))
    assert pages[0].rows == pages[1].rows
    found = trained_on({"cohort": {"digest": "1" * 64}}, folder, None, len(visits))
    assert (found.kind, "a folder cannot be compared" in found.words) == ("unknown", True)


def test_a_mapping_is_part_of_the_cohort(visits, tmp_path) -> None:
    source, mapping, report = tmp_path / "in.csv", tmp_path / "m.toml", tmp_path / "r.html"
    visits.rename(columns={"patient_id": "ID"}).to_csv(source, index=False)
    named = (
        "months_since_onset",
        "alsfrs_r_total",
        "age_years",
        "sex",
        "onset_site",
        "treg_count_per_ul",
        "treg_gate",
        "crp_mg_l",
    )
    lines = [f'{column} = "{header}"' for column, header in [("patient_id", "ID"), *zip(named, named, strict=True)]]
    mapping.write_text("[columns]\n" + "\n".join(lines))
    contents = small_contents()
    digest = hashlib.sha256(source.read_bytes() + mapping.read_bytes()).hexdigest()
    pack = tmp_path / "pack"
    write_pack(pack, replace(contents, card={**contents.card, "cohort": {"digest": digest}}))
    asked = ("--pack", pack, "--mapping", mapping, "--report", report)
    assert score(source, tmp_path / "o.parquet", *asked).exit_code == 0
    page = page_of(report)
    assert "trained on this very file" in page.text
    assert "all 100 patients" in page.text
    assert "Calibration slope" in page.text


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_what_is_not_installed_is_told_before_anything_is_scored(
    missing, source, pack_folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    result = score(source, tmp_path / "o.csv", "--pack", pack_folder, "--report", tmp_path / "r.html")
    assert result.exit_code == 2
    assert f"--report needs {missing}; pip install 'tregcast[train]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_fails_leaves_the_answers(source, pack_folder, tmp_path) -> None:
    report = tmp_path / "r.html"
    (tmp_path / ".r.html.unfinished").mkdir()  # nothing can be written there
    asked = (source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report)
    result = score(*asked)
    assert result.exit_code == 1
    assert "the answers are in place, but there is no report" in result.stderr
    assert not report.exists()
    report.write_text("old")
    result = score(*asked, "--overwrite")
    assert result.exit_code == 1
    assert "r.html is of an earlier run" in result.stderr
    assert report.read_text() == "old"
    assert (
        len(pd.read_csv(tmp_path / "o.csv")) == json.loads((tmp_path / "o.summary.json").read_text())["rows"]["in"]
    )


def test_a_page_that_is_there_is_replaced_only_if_asked(source, pack_folder, tmp_path) -> None:
    report = tmp_path / "r.html"
    report.write_text("mine")
    asked = (source, tmp_path / "o.csv", "--pack", pack_folder, "--report", report)
    refused = score(*asked)
    assert refused.exit_code == 2
    assert "there already" in refused.stderr
    assert report.read_text() == "mine"
    assert not (tmp_path / "o.csv").exists()
    assert score(*asked, "--overwrite").exit_code == 0
    first = report.read_bytes()
    assert b"</html>" in first
    assert score(*asked, "--overwrite").exit_code == 0
    assert report.read_bytes() == first


def test_a_place_that_cannot_be_is_refused_at_once(source, pack_folder, tmp_path) -> None:
    asked = (source, tmp_path / "o.csv", "--pack", pack_folder)
    for place, rule in (
        (tmp_path / "r.pdf", "name a .html file"),
        (tmp_path / "none" / "r.html", "its folder is not there"),
        (tmp_path / "o.csv", "need a file each"),
        (source, "is in, the input"),
    ):
        result = score(*asked, "--report", place, "--overwrite")
        assert (result.exit_code, rule in result.stderr) == (2, True), result.output
    assert list(tmp_path.iterdir()) == []


def test_a_sample_holds_whole_patients_and_is_the_same_in_any_order(visits, source, tmp_path) -> None:
    turned = tmp_path / "turned.parquet"
    visits[::-1].to_parquet(turned, index=False)
    samples = [chosen(open_source(path, ColumnMapping()), 40) for path in (source, turned)]
    names = []
    for sample in samples:
        assert sample is not None
        assert not sample.all_of_them
        assert 60 <= sample.patients <= 160  # estimated; there are 100
        whose = sample.table["patient_id"].to_pandas()
        assert whose.nunique() == 40
        assert len(whose) == visits["patient_id"].isin(whose.unique()).sum()
        assert sum(len(rows) for _, rows, _ in sample.some()) == len(whose)
        names.append(set(whose))
    assert names[0] == names[1]
    assert (
        visits["patient_id"].to_numpy()[samples[0].rows - 1] == samples[0].table["patient_id"].to_pandas()
    ).all()
    few = chosen(open_source(source, ColumnMapping()), 1000, most_rows=len(visits) // 2)
    assert few is not None
    assert few.table["patient_id"].to_pandas().nunique() == 50
    assert few.patients == 100


@given(st.lists(st.floats(-3, 9), min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_a_histogram_knows_its_numbers_to_a_hundredth(values, share) -> None:
    found = Histogram()
    for part in np.array_split(np.array(values), 3):
        found.add(part)
    assert found.total == len(values)
    assert abs(found.quantile(share) - np.quantile(values, share, method="inverted_cdf")) <= 0.0051
    ends, counts = found.bars(5)
    assert counts.sum() == len(values)
    assert ends[0] <= min(values) + 1e-9
    assert max(values) < ends[-1] + 0.05 + 1e-9
