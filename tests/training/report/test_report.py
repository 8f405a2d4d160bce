"""A report: its figures are those of the card, its cohort is the version's own, and no patient is in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli import main
from features.parse import parse_record
from model.answer import Prediction
from training.evaluation import MODEL, Evaluation
from training.promotion.decision_chain import Chain, Entry
from training.promotion.decisions import Decision
from training.report.changes import before_of, changes
from training.report.repeated import NotTheSame, require_same_figures
from training.report.report_files import DIGEST_TAG
from training.report.trained_version import trained_version
from training.report.tripod import ASKED

VERSION = "models:/als-progression/1"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)


# ------------------------------------------------------------------------------------------------------ its figures


def test_the_figures_are_those_of_the_card(reported) -> None:
    found, card = json.loads(reported.document.json), reported.made.pack.card["evaluation"]
    assert set(found["accuracy"]) == {"tregcast", "mean", "delta-FS alone"}
    for name, figures in found["accuracy"].items():
        assert {key: each["value"] for key, each in figures.items()} == card["overall"][name]
    bands = {group["name"]: group for group in found["by_band"]}
    for name, figures in card["by_predicted_band"].items():
        assert bands[name]["examples"] == figures["examples"]
        if bands[name]["figures"] is not None:
            for key in ("rmse", "coverage", "interval_width"):
                assert bands[name]["figures"][key]["value"] == pytest.approx(figures[key], abs=1e-6)


def test_the_flow_and_the_markers_are_those_of_the_cohort(reported) -> None:
    found, counted = json.loads(reported.document.json), reported.again.cohort.report
    flow = found["flow"]
    for key in ("rows", "patients", "patients_excluded", "patients_with_outcome", "examples", "deaths"):
        assert flow[key] == getattr(counted, key)
    shares = {each["column"]: each["share_of_patients"] for each in found["markers"]}
    assert shares == {column: pytest.approx(share, abs=1e-6) for column, share in counted.measured}


def test_the_settings_are_those_of_the_run(reported, trained) -> None:
    again = reported.made.recipe.regressor(reported.again.examples.matrix)
    assert again.get_params() == trained.run.fitted.regressor.get_params()


def test_contributions_are_averaged_over_many(reported) -> None:
    examples, fitted = reported.again.examples, reported.made.pack.predictor.fitted
    contributions = fitted.contributions(examples.X)
    assert [each.column for each in reported.report.effects] == [
        each.column for each in reported.report.importance[:6]
    ]
    for effect in reported.report.effects:
        at = examples.matrix.columns.index(effect.column)
        have = ~np.isnan(examples.X[:, at])
        assert sum(point.examples for point in effect.points) == have.sum()
        assert all(point.examples >= 20 for point in effect.points)
        mean = sum(point.examples * point.contribution for point in effect.points) / have.sum()
        assert mean == pytest.approx(contributions[have, at].mean())
        assert all(a.value < b.value for a, b in zip(effect.points, effect.points[1:], strict=False))
    assert sum(each.share for each in reported.report.importance) == pytest.approx(1.0)


def test_figures_that_are_not_those_of_the_card_are_refused(reported) -> None:
    evaluation, card = reported.again.evaluation, reported.report.card
    require_same_figures(reported.made, card, evaluation)
    own = evaluation.forecasts[MODEL]
    other = replace(own, rate=own.rate + 1e-4)
    moved = Evaluation(
        evaluation.observed, evaluation.folds, evaluation.grouped_by, {**evaluation.forecasts, MODEL: other}
    )
    with pytest.raises(
        NotTheSame, match=r"its figures are not those of its card: tregcast rmse was 0\.\d+, is 0\."
    ):
        require_same_figures(reported.made, card, moved)


# --------------------------------------------------------------------------------------------------- its examples


def test_examples_are_made_up_and_answered_by_the_pack(reported) -> None:
    predictor, matrix = reported.made.pack.predictor, reported.again.examples.matrix
    first, seen, faster, slower = reported.report.examples
    for worked in (first, seen, faster, slower):
        record = parse_record(worked.record, today=date.max)  # what a clinic system could send
        assert predictor.predict(record) == worked.answer
        row = matrix.row(record)
        known = ~np.isnan(row)
        same = np.isclose(reported.again.examples.X[:, known], row[known]).all(axis=1)
        assert not same.any()  # nobody's record
    assert isinstance(faster.answer, Prediction)
    assert isinstance(seen.answer, Prediction)
    assert isinstance(slower.answer, Prediction)
    assert faster.answer.progression_rate > seen.answer.progression_rate > slower.answer.progression_rate
    assert isinstance(first.answer, Prediction)
    assert first.answer.cautions
    assert len(first.record["visits"]) == 1
    assert len(seen.record["visits"]) == 2


def test_no_patient_is_in_it(reported) -> None:
    text = reported.document.json.decode() + reported.html
    assert not [name for name in set(reported.again.examples.patient) if name in text]


# ------------------------------------------------------------------------------------------- beside the champion


def test_the_champion_itself_has_no_champion_before(trained) -> None:
    made = trained_version(VERSION, trained.run.tracking_uri, trained.folder / "packs")
    assert changes(made, trained.run.tracking_uri, trained.folder / "packs") is None


def test_a_challenger_is_told_beside_the_champion(trained, retrained) -> None:
    uri, packs = trained.run.tracking_uri, trained.folder / "packs"
    made = trained_version("models:/als-progression/2", uri, packs)
    found = changes(made, uri, packs)
    assert found is not None
    assert found.champion == "als-progression version 1"
    assert found.same_cohort is False
    assert [(each.name, each.was, each.now) for each in found.settings] == [("index_visits", "every", "first")]
    first = set(trained.pack.predictor.matrix.columns)
    second = set(made.pack.predictor.matrix.columns)
    assert (len(found.came), len(found.went)) == (len(second - first), len(first - second))
    assert len(first - second) > 0
    rmse = next(each for each in found.figures if each.name == "rmse")
    assert rmse.was == trained.run.fitted.evaluation.overall[MODEL]["rmse"]
    assert rmse.difference == rmse.now - rmse.was
    assert rmse.now == made.run.metrics["cv_rmse"]


def test_the_champion_before_is_the_one_that_the_decisions_replaced() -> None:
    def decided(number: int, kind: str, was: str | None, now: str) -> Entry:
        decision = Decision(number, "m", kind, was, now, "f" * 64, "a person", "2026-01-01T00:00:00+00:00", "")
        return Entry(decision, "d", "r", finished=True)

    promoted = (decided(1, "promotion", "1", "2"), decided(2, "promotion", "2", "4"))
    assert before_of(Chain("m", promoted, ()), "4") == "2"
    back = Chain("m", (*promoted, decided(3, "rollback", "4", "2")), ())
    assert before_of(back, "2") == "1"
    assert before_of(back, "4") is None  # an alias that no decision moved
    assert before_of(Chain("m", (), ()), "1") is None


# ----------------------------------------------------------------------------------------------------- the command


@pytest.mark.slow  # cross-validates again
def test_the_command_writes_logs_and_tags(
    trained, retrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    uri, second = trained.run.tracking_uri, "models:/als-progression/2"
    said = tmp_path / "said.toml"
    said.write_text('[statements]\n18a = "Nobody paid."\n', "utf-8")
    options = ["--no-worth", "--require-complete", "--statements", said, "--version", second, "--tracking-uri", uri]
    result = run(retrained.cohort_file, *options)
    assert result.exit_code == 3
    assert "Empty items of TRIPOD+AI (7)" in result.stdout
    assert "\n  18b Conflicts of interest\n" in result.stdout
    html, document = (tmp_path / "report" / name for name in ("report.html", "report.json"))
    found = json.loads(document.read_bytes())
    made = trained_version(second, uri, trained.folder / "packs")
    overall = made.pack.card["evaluation"]["overall"]
    for name, figures in found["accuracy"].items():  # cross-validated again, and the same
        assert {key: each["value"] for key, each in figures.items()} == overall[name]
    assert found["tripod"]["18a"]["statement"] == "Nobody paid."
    assert found["changes"]["champion"] == "als-progression version 1"
    assert (found["origin"]["resamples"], found["worth"]) == (2000, None)
    digest = hashlib.sha256(document.read_bytes()).hexdigest()
    assert digest in html.read_text("utf-8")
    client = mlflow.MlflowClient()
    assert client.get_model_version("als-progression", "2").tags[DIGEST_TAG] == digest
    logged = Path(mlflow.artifacts.download_artifacts(run_id=made.run.run_id, artifact_path="report"))
    assert {path.name: path.read_bytes() for path in logged.iterdir()} == {
        path.name: path.read_bytes() for path in (html, document)
    }


def test_another_cohort_is_refused_with_both_digests(
    trained, reference_frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.csv"
    reference_frame.iloc[:300].to_csv(other, index=False)
    result = run(other, "--version", VERSION, "--tracking-uri", trained.run.tracking_uri, "--no-worth")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert hashlib.sha256(other.read_bytes()).hexdigest() in result.stderr
    assert trained.run.cohort.digest in result.stderr
    assert "als-progression version 1" in result.stderr
    assert not (tmp_path / "report").exists()


def test_faults_are_told(trained, reference_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.toml"
    bad.write_text("[statements]\n99 = 'x'\n18a = 1\n", "utf-8")
    uri = trained.run.tracking_uri
    for arguments, words in (
        ((reference_file, "--statements", bad), ("'99' is not an item", "18a is not a text")),
        ((reference_file, "--version", "models:/als-progression@nobody"), ("nobody",)),
        ((reference_file, "--version", "als-progression"), ("is not models:/NAME@ALIAS",)),
        ((), ("Missing argument 'COHORT'",)),
    ):
        result = run(*arguments, "--tracking-uri", uri)
        assert result.exit_code == 2
        assert all(word in result.stderr for word in words)


def test_a_file_of_statements_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "statements.toml"
    result = run("--write-statements", path)
    assert result.exit_code == 0
    assert f"{len(ASKED)} questions" in result.stdout
    again = run("--write-statements", path)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
