"""Champion and challenger on the same patients: who is better, where, and by how much."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from model.distribution import band_of
from tests.training.rivals import NAME, Rivals, frame
from training.cohort import CohortError, read_cohort
from training.examples import examples_of
from training.promotion import comparison_report as report
from training.promotion.calibration_slope import calibration_slope
from training.promotion.comparison import Comparison, compare
from training.promotion.contender import Contender, contender
from training.promotion.elsewhere import by_site, by_time, first_visits
from training.registry import version_of
from training.tracking import open_store

SOME = 200  # resamples


def contenders(rivals: Rivals, *which: str) -> list[Contender]:
    open_store(rivals.uri)
    return [contender(version_of(rivals.reference(each)), rivals.uri) for each in which]


@pytest.fixture(scope="session")
def found(rivals: Rivals) -> Comparison:
    before, after = contenders(rivals, "without", "better")
    return compare(rivals.runs["better"].cohort, before, after, resamples=SOME)


def test_figures_are_those_of_the_cross_validation(rivals: Rivals, found: Comparison) -> None:
    assert found.overall.figures is not None
    for name, which in (("champion", "without"), ("challenger", "better")):
        made = rivals.runs[which].fitted.evaluation.overall["tregcast"]
        row = found.overall.figures[name]
        for key in ("rmse", "r2", "coverage", "interval_width", "interval_score"):
            assert row[key] == pytest.approx(made[key]), (name, key)
    baselines = rivals.runs["better"].fitted.evaluation.overall
    for name in ("mean", "delta-FS alone"):  # on the folds of training
        assert found.overall.figures[name]["rmse"] == pytest.approx(baselines[name]["rmse"])


def test_the_better_one_is_clearly_better(found: Comparison) -> None:
    assert found.overall.differences is not None
    assert found.overall.relative_rmse is not None
    assert found.overall.differences["rmse"].upper < 0
    assert found.overall.relative_rmse.upper < -0.3
    assert found.overall.band_changes is not None
    assert found.overall.band_changes > 0.1


def test_against_itself_nothing_differs(rivals: Rivals) -> None:
    one = contenders(rivals, "better")[0]
    same = compare(rivals.runs["better"].cohort, one, one, resamples=SOME)
    assert same.overall.differences is not None
    assert all((d.lower, d.estimate, d.upper) == (0, 0, 0) for d in same.overall.differences.values())
    assert same.overall.band_changes == 0
    bands = band_of(rivals.runs["better"].fitted.evaluation.forecasts["tregcast"].rate)
    shown = {group.value: group.patients for group in same.subgroups if group.kind == "predicted band"}
    assert shown == {name: int((bands == at).sum()) for at, name in enumerate(("slow", "intermediate", "fast"))}


def test_subgroups_with_few_patients_show_no_figure(found: Comparison) -> None:
    by_name = {group.name: group for group in found.subgroups}
    assert by_name["sex: female"].patients == 60
    assert by_name["site: site-0"].patients == 36
    small = [group for group in found.subgroups if group.patients < 20]
    assert "site: small" in {group.name for group in small}
    assert all(group.figures is None and group.differences is None for group in small)
    assert {group.kind for group in found.subgroups} == {"sex", "site"}  # the rest is alike for all


def test_too_few_patients_are_refused_with_the_reason(rivals: Rivals, tmp_path: Path) -> None:
    table = frame()
    later = table[table["months_since_onset"] > table.groupby("patient_id")["months_since_onset"].transform("min")]
    later.to_csv(tmp_path / "later.csv", index=False)  # known patients, at visits that no run forecast
    with pytest.raises(
        CohortError, match=r"0 patients have an honest forecast .* at least 40 .*champion: 0 out of"
    ):
        compare(read_cohort(tmp_path / "later.csv"), *contenders(rivals, "without", "better"))


def test_the_slope_and_its_error_by_hand() -> None:
    """Slope by numpy; the error by the formula, worked out for two patients with two rows each."""
    x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0, 3.0])
    found = calibration_slope(y, x, ["a", "a", "b", "b"])
    assert found.slope == pytest.approx(np.polyfit(x, y, 1)[0])
    # residuals -0.3, 0.9, -0.9, 0.3; centred x -1.5, -0.5, 0.5, 1.5: both sums are 0, as for 5
    assert found.standard_error == pytest.approx(0.0, abs=1e-12)
    alone = calibration_slope(y, x, ["a", "b", "c", "d"])
    scores = np.array([0.45, -0.45, -0.45, 0.45])
    assert alone.standard_error == pytest.approx(np.sqrt(4 / 3 * scores @ scores) / 5)


def test_a_site_left_out_is_not_in_the_fit(rivals: Rivals) -> None:
    [one] = contenders(rivals, "better")
    examples = examples_of(rivals.runs["better"].cohort)
    tried = by_site(examples, one.recipe).tried
    assert [each.left_out for each in tried] == ["site site-0", "site site-1", "site site-2"]  # 12 are too few
    assert all(each.patients == 36 and each.figures["rmse"] < each.mean_rmse for each in tried)


def test_where_there_are_no_sites_and_no_dates_one_sentence_says_so(rivals: Rivals) -> None:
    [one] = contenders(rivals, "better")
    cohort = rivals.runs["better"].cohort
    examples = examples_of(cohort)
    examples.site[:] = ""
    assert (
        by_site(examples, one.recipe).why_not == "No site was left out: the cohort names 0, at least 3 are needed."
    )
    dates = first_visits(rivals.files["better"].table, None)
    assert dates == {}
    assert "not every patient of the cohort has a visit_date" in by_time(examples, one.recipe, dates).why_not


def test_later_patients_are_forecast_from_earlier_ones(rivals: Rivals, tmp_path: Path) -> None:
    table = frame()
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(table.groupby("patient_id").ngroup() * 7, unit="D")
    months = table["months_since_onset"] - table.groupby("patient_id")["months_since_onset"].transform("min")
    dated = table.assign(
        visit_date=(start + pd.to_timedelta((months * 30.4375).round(), unit="D")).dt.strftime("%Y-%m-%d"),
        onset_date=(start - pd.Timedelta(days=600)).dt.strftime("%Y-%m-%d"),
    ).drop(columns="months_since_onset")
    dated.to_csv(tmp_path / "dated.csv", index=False)
    dates = first_visits(tmp_path / "dated.csv", None)
    assert dates["P0010"].isoformat() == "2020-03-11"  # ten weeks later
    [one] = contenders(rivals, "better")
    [later] = by_time(
        examples_of(read_cohort(tmp_path / "dated.csv", index_visits="first")), one.recipe, dates
    ).tried
    assert later.patients == 36  # the latest 30 %
    assert later.figures["rmse"] < later.mean_rmse


def test_the_command_tells_and_keeps_it(own: Rivals, tmp_path: Path) -> None:
    import mlflow

    arguments = ["compare", own.files["better"].table, "--champion", f"models:/{NAME}@champion", "--challenger"]
    arguments += [own.reference("better"), "--no-sites", "--out", tmp_path / "out", "--tracking-uri", own.uri]
    result = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "SIMULATED cohort" in result.stdout
    assert "too small" in result.stdout
    document = json.loads((tmp_path / "out" / report.DOCUMENT).read_text("utf-8"))
    assert document["challenger"]["ways"]["out of fold"] == 120
    assert (tmp_path / "out" / report.PLOT).read_bytes().startswith(b"\x89PNG")
    [run] = mlflow.search_runs(filter_string="tags.`tregcast.kind` = 'comparison'", output_format="list")
    assert run.data.tags["tregcast.pack_id.challenger"] == own.runs["better"].pack_id
    assert run.data.tags["tregcast.cohort_digest"] == own.runs["better"].cohort.digest
    assert run.data.metrics["challenger_rmse"] == document["overall"]["figures"]["challenger"]["rmse"]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--champion", "models:/nobody@champion", "Registered Model with name=nobody not found"),
        ("--challenger", "rivals", "'rivals' is not models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_a_wrong_reference_is_told_in_one_message(rivals: Rivals, option: str, value: str, says: str) -> None:
    arguments = ["compare", str(rivals.files["better"].table), "--champion", rivals.reference("without")]
    arguments += ["--challenger", rivals.reference("better"), option, value, "--tracking-uri", rivals.uri]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
