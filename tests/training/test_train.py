"""What a training run leaves behind: figures, documents, plots, and a model that answers as its pack does."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from features.mapping import MappingError
from model.answer import NUMBERS, render
from model.golden import golden_records
from training.cohort import CohortError
from training.contract.contract import check
from training.contract.contract_finding import Severity
from training.scoring import TEXTS, score_table
from training.signature import input_columns
from training.summary import summary
from training.tracking import open_store
from training.train import train
from training.tuning.tune import tune

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Run
    from mlflow.pyfunc import PyFuncModel

    from tests.conftest import Trained

CODE_OR_PICKLE = {".pkl", ".pickle", ".joblib", ".cloudpickle", ".skops", ".pt", ".so", ".whl", ".zip"}


@pytest.fixture(autouse=True)
def store(trained: Trained) -> Iterator[None]:
    """MLflow's store is of the process: point it at the one of the trained run."""
    open_store(trained.run.tracking_uri)
    return


@pytest.fixture
def logged(trained: Trained) -> Run:
    import mlflow

    return mlflow.get_run(trained.run.run_id)


@pytest.fixture(scope="module")
def model(trained: Trained) -> PyFuncModel:
    import mlflow

    open_store(trained.run.tracking_uri)
    return mlflow.pyfunc.load_model("models:/als-progression@champion")


def artifact(trained: Trained, path: str) -> Path:
    return trained.folder / "artifacts" / trained.run.run_id / "artifacts" / path


# ---------------------------------------------------------------------------------------------------------- the run


def test_the_run_ended_well_and_says_how_it_was_made(logged: Run, trained: Trained) -> None:
    assert logged.info.status == "FINISHED"
    assert logged.data.params["seed"] == "0"
    assert logged.data.params["index_visits"] == "every"
    assert logged.data.params["scale"] == "alsfrs_r_total"
    assert logged.data.params["n_folds"] == "5"
    assert int(logged.data.params["examples"]) == len(trained.run.cohort.examples)
    assert int(logged.data.params["features"]) == len(trained.run.fitted.contents.matrix.columns)
    assert float(logged.data.params["learning_rate"]) == trained.run.fitted.regressor.learning_rate


def test_the_run_says_what_it_was_made_from(logged: Run, trained: Trained, reference_file: Path) -> None:
    tags = logged.data.tags
    assert tags["tregcast.cohort_digest"] == hashlib.sha256(reference_file.read_bytes()).hexdigest()
    assert tags["tregcast.simulated"] == "true"
    assert tags["tregcast.provenance"].startswith("simulated: Tregcast reference cohort")
    assert tags["tregcast.pack_id"] == trained.run.pack_id


def test_cross_validated_metrics_stand_beside_the_baselines(logged: Run, trained: Trained) -> None:
    found = logged.data.metrics
    keys = ("rmse", "mae", "r2", "correlation", "coverage", "interval_width", "interval_score")
    overall = trained.run.fitted.evaluation.overall
    for prefix, name in (
        ("cv", "tregcast"),
        ("baseline_mean", "mean"),
        ("baseline_delta_fs_alone", "delta-FS alone"),
    ):
        for key in keys:
            assert found[f"{prefix}_{key}"] == pytest.approx(overall[name][key])
    assert {key for key in found if key.startswith("cv_intermediate_")} == {
        *(f"cv_intermediate_{key}" for key in keys),
        "cv_intermediate_examples",
    }
    assert all(math.isfinite(value) for value in found.values())
    assert found["cv_coverage"] == pytest.approx(0.9, abs=0.05)
    assert found["cv_rmse"] < found["baseline_mean_rmse"]
    assert abs(found["baseline_mean_r2"]) < 0.1


def test_cohort_report_and_card_are_there(trained: Trained) -> None:
    report = json.loads(artifact(trained, "cohort_report.json").read_text("utf-8"))
    assert report["patients"] == trained.run.cohort.report.patients
    assert report["patients_excluded"] == 0
    assert dict(report["measured"])["nfl_pg_ml"] == pytest.approx(
        dict(trained.run.cohort.report.measured)["nfl_pg_ml"]
    )
    card = json.loads(artifact(trained, "card.json").read_text("utf-8"))
    assert card == json.loads((trained.pack_folder / "card.json").read_text("utf-8"))
    assert card["simulated"] is True
    assert card["cohort"]["digest"] == trained.run.cohort.digest
    assert card["evaluation"]["overall"]["tregcast"]["r2"] == pytest.approx(
        trained.run.fitted.evaluation.overall["tregcast"]["r2"], abs=1e-6
    )
    assert sum(feature["importance"] for feature in card["features"]) == pytest.approx(1, abs=1e-3)
    rates = [example.outcome.progression_rate for example in trained.run.cohort.examples]
    assert card["outcome"]["mean"] == pytest.approx(np.mean(rates))
    assert card["outcome"]["sd"] == pytest.approx(np.std(rates))


@pytest.mark.parametrize("name", ["calibration", "observed_against_predicted", "contributions"])
def test_the_plots_are_there(trained: Trained, name: str) -> None:
    data = artifact(trained, f"plots/{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 10_000


# ------------------------------------------------------------------------------------------------- the logged model


def test_no_code_and_nothing_pickled(trained: Trained) -> None:
    """One small file of source, which imports the installed `model`, and the pack: nothing else that could run."""
    import yaml

    files = [path for path in (trained.folder / "artifacts").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in CODE_OR_PICKLE]
    sources = [path.name for path in files if path.suffix == ".py"]
    assert set(sources) == {"pyfunc_model.py"}
    assert not [path for path in (trained.folder / "artifacts").rglob("code") if path.is_dir()]
    for found in (trained.folder / "artifacts").rglob("MLmodel"):
        flavor = yaml.safe_load(found.read_text("utf-8"))["flavors"]["python_function"]
        assert flavor.get("code") is None
        assert flavor["loader_module"] == "mlflow.pyfunc.loaders.code_model"  # from source, not from a pickle
        assert "python_model" not in flavor
    for path in files:
        if path.suffix != ".npz":
            assert not path.read_bytes().startswith((b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def test_the_signature_is_of_doubles_and_texts_all_but_the_time_optional(
    model: PyFuncModel, trained: Trained
) -> None:
    signature = model.metadata.signature
    inputs = signature.inputs.to_dict()
    assert {column["type"] for column in inputs} == {"double", "string"}
    assert [column["name"] for column in inputs if column["required"]] == ["months_since_onset"]
    assert [column["name"] for column in inputs] == list(input_columns(trained.pack.predictor.matrix))
    by_name = {column["name"]: column["type"] for column in inputs}
    assert by_name["nfl_pg_ml"] == by_name["alsfrs_r_total"] == by_name["age_years"] == "double"
    assert by_name["sex"] == by_name["nfl_pg_ml_comparator"] == by_name["treg_responder_ratio"] == "string"
    assert "alsfrs_r_total_comparator" not in by_name  # a score has no limit of detection
    assert "delta_fs" not in by_name  # derived here, never sent
    assert signature.outputs.input_names() == [*NUMBERS, *TEXTS]


def test_the_example_is_made_up_and_answered(model: PyFuncModel, trained: Trained) -> None:
    example = model.input_example
    assert isinstance(example, pd.DataFrame)
    made = golden_records(trained.pack.predictor.matrix, trained.pack.predictor.applicability)
    assert len(example) == sum(len(record["visits"]) for record in made)  # type: ignore[arg-type]
    assert example["patient_id"].nunique() == len(made)
    assert model.predict(example)["outcome"].str.startswith("prediction").all()


def test_the_model_answers_as_the_pack_bit_for_bit(model: PyFuncModel, trained: Trained) -> None:
    example = model.input_example
    found = model.predict(example)
    pd.testing.assert_frame_equal(found, score_table(trained.pack.predictor, example), check_exact=True)
    last = found.groupby(example["patient_id"]).tail(1)
    for golden, (_, row) in zip(trained.pack.golden, last.iterrows(), strict=True):
        assert row["progression_rate"] == golden.answer["progression_rate"]


def test_the_model_answers_the_cohort_as_the_pack(
    model: PyFuncModel, trained: Trained, reference_frame: pd.DataFrame
) -> None:
    doubles = as_doubles(reference_frame.head(120), model)
    found = model.predict(doubles)
    for at, (_, row) in enumerate(found.iterrows()):
        assert json.loads(row["answer"])["outcome"] == row["outcome"], at
    first = trained.run.cohort.examples[0]
    answer = json.loads(json.dumps(render(trained.pack.predictor.predict(first.record))))
    assert answer in [json.loads(text) for text in found["answer"]]


def as_doubles(frame: pd.DataFrame, model: PyFuncModel) -> pd.DataFrame:
    """MLflow takes 32-bit integers for doubles, but no 64-bit ones: numbers go as float64."""
    numbers = [c["name"] for c in model.metadata.signature.inputs.to_dict() if c["type"] == "double"]
    return frame.astype({name: "float64" for name in numbers if name in frame})


def test_other_columns_and_smaller_integers_are_taken(model: PyFuncModel) -> None:
    example = model.input_example
    whole = example.assign(odd=1, ward="x", alsfrs_r_total=example["alsfrs_r_total"].astype("int32"))
    pd.testing.assert_frame_equal(model.predict(whole), model.predict(example), check_exact=True)


def test_without_the_time_there_is_no_answer(model: PyFuncModel) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="months_since_onset"):
        model.predict(model.input_example.drop(columns="months_since_onset"))


def test_most_columns_may_be_missing(model: PyFuncModel) -> None:
    few = model.input_example[["months_since_onset", "alsfrs_r_total", "age_years", "sex", "onset_site"]]
    assert len(model.predict(few)) == len(few)


# ------------------------------------------------------------------------------------------- when it cannot be done


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("patient_id\n1\n", CohortError),
        ("patient_id,months_since_onset,alsfrs_r_total\na,10,40\na,16,37\n", CohortError),  # one patient
    ],
)
def test_nothing_is_logged_when_the_cohort_is_bad(tmp_path: Path, text: str, error: type[Exception]) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(error):
        train(file, tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.csv"]


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_rate_that_most_patients_have_is_refused(tmp_path: Path, share: float) -> None:
    """A score filled in by a formula: cross-validation would find it out to the last digit, and know nothing."""
    rows = [
        (f"p{number}", month, round(48 - month * (1.0 if number < 100 * share else number / 100)))
        for number in range(100)
        for month in (6, 12, 18)
    ]
    file = tmp_path / "cohort.csv"
    pd.DataFrame(rows, columns=["patient_id", "months_since_onset", "alsfrs_r_total"]).to_csv(file, index=False)
    told = r"% of the 200 outcomes are the same rate, 1 points/month; scores that are copied from visit to visit"
    store = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    with pytest.raises(CohortError, match=told):
        train(str(file), tracking_uri=store)
    with pytest.raises(CohortError, match=told):
        tune(str(file), tracking_uri=store)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.csv"]
    [finding] = [each for each in check(str(file)).findings if each.code == "same_outcome"]
    assert (finding.severity, finding.column) == (Severity.ERROR, "alsfrs_r_total")
    assert check(file).exit_code == 4
    assert not check(file).outcome.enough


def test_nothing_is_logged_when_the_mapping_is_bad(tmp_path: Path, reference_file: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text("[columns]\nnothing = 'x'", "utf-8")
    with pytest.raises(MappingError):
        train(reference_file, mapping, tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mapping.toml"]


# ----------------------------------------------------------------------------------------------------- for a person


def test_the_summary_is_a_table_a_person_can_read(trained: Trained) -> None:
    text = summary(trained.run)
    lines = text.splitlines()
    assert lines[0] == "als-progression version 1 (challenger, champion)"
    assert "SIMULATED" in lines[1]
    report = trained.run.cohort.report
    assert f"{report.patients} patients read, {report.patients_with_outcome} with an outcome" in text
    headings = next(line for line in lines if "RMSE" in line).split()
    rows: dict[str, Any] = {name: row_of(lines, name) for name in ("tregcast", "mean", "delta-FS alone")}
    assert headings == ["RMSE", "MAE", "R2", "r", "coverage", "width", "score"]
    overall = trained.run.fitted.evaluation.overall
    for name, cells in rows.items():
        assert float(cells[0]) == pytest.approx(overall[name]["rmse"], abs=5e-4)
        assert float(cells[4]) == pytest.approx(overall[name]["coverage"], abs=5e-4)
    assert f"Pack   {trained.run.pack_id}" in text
    assert f"mlflow ui --backend-store-uri {trained.run.tracking_uri}" in text
    assert max(map(len, lines[:-8])) <= 140


def row_of(lines: list[str], name: str) -> list[str]:
    [line] = [line for line in lines if line.startswith(f"{name} ")]
    return line.removeprefix(name).split()


def test_mlflow_names_the_columns_that_the_model_does_not_read(
    model: PyFuncModel, reference_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It drops them before the model sees them, so that the model cannot warn of them itself."""
    heard: list[str] = []
    monkeypatch.setattr(logging.getLogger("mlflow.models.utils"), "warning", lambda text, *_: heard.append(text))
    columns = ["patient_id", "months_since_onset", "alsfrs_r_total", "nfl_pg_ml"]
    few = reference_frame.head(2)[columns].astype(dict.fromkeys(columns[1:], "float64"))
    model.predict(few.rename(columns={"nfl_pg_ml": "NfL_pg_ml"}))
    assert "extra inputs" in heard[0]
    assert "NfL_pg_ml" in heard[0]
