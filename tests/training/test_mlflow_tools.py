"""The registered model under MLflow's own tools: its evaluation, and its model server in a process of its own."""

from __future__ import annotations

import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pandas as pd
import pytest

from training.tracking import open_store

if TYPE_CHECKING:
    from tests.conftest import Trained

MODEL = "models:/als-progression/1"
ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DEFAULT_STORE = "sqlite:///mlruns/mlflow.db"


@pytest.fixture
def visits(trained: Trained, reference_frame: pd.DataFrame) -> pd.DataFrame:
    """The visits that have an outcome, with it beside them."""
    observed = {
        (example.patient_id, example.record.visits[-1].month): example.outcome.progression_rate
        for example in trained.run.cohort.examples
    }
    keys = zip(reference_frame["patient_id"], reference_frame["months_since_onset"], strict=True)
    frame = reference_frame.assign(observed=[observed.get(key, np.nan) for key in keys])
    assert frame["observed"].notna().sum() == len(observed)
    return frame.dropna(subset="observed").reset_index(drop=True)


@pytest.mark.slow
def test_the_readme_scores_a_csv_file(
    trained: Trained, reference_frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whole numbers as scores and patients, and an empty column: what MLflow refuses as pandas reads it."""
    visits = reference_frame.dropna(subset="alsfrs_r_total").head(20).drop(columns="provenance")
    visits = visits.drop(columns="crp_mg_l_comparator")
    patients = visits["patient_id"].factorize()[0]
    monkeypatch.chdir(tmp_path)
    whole = visits.astype({"alsfrs_r_total": int}).assign(patient_id=patients, crp_mg_l_comparator=None)
    whole.to_csv("cohort.csv", index=False)
    [code] = re.findall(r"```python\n(import mlflow\n.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert DEFAULT_STORE in code
    Path("score.py").write_text(code.replace(DEFAULT_STORE, trained.run.tracking_uri), "utf-8")
    answers = runpy.run_path("score.py")["answers"]
    import mlflow

    open_store(trained.run.tracking_uri)
    expected = mlflow.pyfunc.load_model(MODEL).predict(visits)
    assert answers["outcome"].tolist() == expected["outcome"].tolist()
    rates = expected["progression_rate"].tolist()
    assert answers["progression_rate"].tolist() == pytest.approx(rates, abs=1e-9, nan_ok=True)


@pytest.mark.slow
def test_mlflow_evaluates_the_registered_model(trained: Trained, visits: pd.DataFrame) -> None:
    import mlflow

    open_store(trained.run.tracking_uri)
    model = mlflow.pyfunc.load_model(MODEL)
    answered = model.predict(visits.drop(columns=["observed", "provenance"]))["progression_rate"].notna()
    table = visits.drop(columns="provenance")[answered].reset_index(drop=True)
    found = mlflow.models.evaluate(
        MODEL,
        table,
        targets="observed",
        predictions="progression_rate",
        model_type="regressor",
        evaluators="default",
        evaluator_config={"log_model_explainability": False},  # a slow approximation of what each answer holds
    )
    error = model.predict(table.drop(columns="observed"))["progression_rate"] - table["observed"]
    assert found.metrics["example_count"] == len(table) > 100
    assert found.metrics["root_mean_squared_error"] == pytest.approx(float(np.sqrt((error**2).mean())))
    assert found.metrics["mean_absolute_error"] == pytest.approx(float(error.abs().mean()))


@pytest.fixture
def model_server(trained: Trained, tmp_path: Path) -> Iterator[str]:
    """``mlflow models serve`` on a free port of the loopback address; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", MODEL, "--env-manager", "local"]
    settings = {"MLFLOW_TRACKING_URI": trained.run.tracking_uri, "PYTHONPATH": str(ROOT)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by name
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            **{"stdout": output, "stderr": subprocess.STDOUT, "cwd": tmp_path, "start_new_session": True},
            env={**os.environ, **settings, "PATH": path},
        )
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while not _answers(f"{url}/ping"):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the group that it leads: the server is a child of the command
        process.wait(15)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_mlflow_serves_the_registered_model(trained: Trained, visits: pd.DataFrame, model_server: str) -> None:
    import mlflow

    open_store(trained.run.tracking_uri)
    table = visits.drop(columns=["observed", "provenance"]).head(12)
    body = {"dataframe_split": table.astype(object).where(table.notna(), None).to_dict("split")}
    reply = httpx.post(f"{model_server}/invocations", json=body, timeout=30, trust_env=False)
    assert reply.status_code == 200, reply.text
    expected = mlflow.pyfunc.load_model(MODEL).predict(table)
    answers = [row["answer"] for row in reply.json()["predictions"]]
    assert answers == expected["answer"].tolist()
    assert {"prediction", "prediction_with_cautions"} & set(expected["outcome"])
