"""The command: its help, its errors in one message with exit code 2, and its answers."""

from __future__ import annotations

import gzip
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli import main
from features.compose import compose
from features.vocabulary import vocabulary
from model.answer import render
from training.cohort import read_cohort

if TYPE_CHECKING:
    from tests.conftest import Retrained, Trained

ROOT = Path(__file__).parents[1]


def commands(group: click.Group, *above: str) -> Iterator[list[str]]:
    """Every command and group of commands there is, as it is called."""
    yield [*above]
    for name, command in group.commands.items():
        yield from commands(command, *above, name) if isinstance(command, click.Group) else [[*above, name]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def fault(result: Result) -> str:
    """What a command that failed said: exit code 2, nothing on standard output, one message."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    return result.stderr


# ---------------------------------------------------------------------------------------------- help and vocabulary


@pytest.mark.parametrize("command", list(commands(main)), ids=" ".join)
def test_help(command: list[str]) -> None:
    for flag in ("--help", "-h"):
        result = run(*command, flag)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("Usage: ")


def test_every_command_is_listed() -> None:
    text = run("--help").stdout
    assert all(
        f"\n  {name} " in text
        for name in ("audit", "cohort", "keys", "predict", "pull", "serve", "train", "vocabulary")
    )


def test_version() -> None:
    from importlib.metadata import version

    assert version("tregcast") in run("--version").stdout


def test_the_vocabulary_a_line_each() -> None:
    lines = run("vocabulary").stdout.splitlines()
    words = vocabulary()
    assert len(lines) == len(words.quantities) + len(words.categories) + len(words.qualifiers)
    assert "crp                    crp_mg_l                   mg/L      C-reactive protein" in lines
    assert any(line.startswith("sex ") and line.endswith("Sex: female, male") for line in lines)


def test_the_vocabulary_as_json() -> None:
    found = json.loads(run("vocabulary", "--json").stdout)
    assert found["quantities"]["crp"]["units"]["mg/dL"]["numerator"] == 10
    assert set(found["quantities"]) == set(vocabulary().quantities)


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = "import sys, cli; print(*sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"mlflow", "pandas", "numpy", "sklearn", "xgboost", "bentoml"} & set(made.stdout.split())


# -------------------------------------------------------------------------------------------------- cohort simulate


def test_the_reference_cohort_as_csv_and_as_parquet(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("c.csv", "c.csv.gz", "c.parquet")]
    for file in files:
        result = run("cohort", "simulate", "--patients", 30, "--seed", 5, "--out", file)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith("visits of 30 simulated patients\n")
    cohorts = [read_cohort(file) for file in files]
    assert cohorts[0].examples == cohorts[1].examples == cohorts[2].examples
    assert all(cohort.simulated for cohort in cohorts)
    frame = pd.read_parquet(files[2])
    assert set(frame["provenance"]) == {"simulated: Tregcast reference cohort, 30 patients, seed 5"}
    assert gzip.decompress(files[1].read_bytes()) == files[0].read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"c.csv", "c.csv.gz", "c.parquet"}  # no scratch is left


def test_the_same_seed_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        run("cohort", "simulate", "--patients", 20, "--seed", 3, "--out", tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("name", ["c.xlsx", "c", "c.parquet.zip"])
def test_a_cohort_of_another_ending_is_not_written(tmp_path: Path, name: str) -> None:
    text = fault(run("cohort", "simulate", "--patients", 2, "--out", tmp_path / name))
    assert f"{tmp_path / name}: not a .csv, .csv.gz or .parquet file" in text
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert "file" in fault(run("cohort", "simulate", "--patients", 2, "--out", tmp_path / "file" / "c.csv"))
    (tmp_path / "c.csv").mkdir()
    result = run("cohort", "simulate", "--patients", 2, "--out", tmp_path / "c.csv")
    assert result.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "file"]


@pytest.mark.parametrize(
    "arguments", [["--patients", "0"], ["--patients", "many"], ["--seed", "-1"], []], ids=" ".join
)
def test_a_draw_that_cannot_be(tmp_path: Path, arguments: list[str]) -> None:
    out = ["--out", str(tmp_path / "c.csv")] if arguments else []
    assert run("cohort", "simulate", *arguments, *out).exit_code == 2


# ------------------------------------------------------------------------------------------------------------ train


def test_train_prints_the_table_and_its_progress(retrained: Retrained) -> None:
    lines = retrained.output.splitlines()
    assert lines[0] == "als-progression version 2 (challenger)"
    assert "SIMULATED" in retrained.output
    for name in ("tregcast", "mean", "delta-FS alone"):
        assert any(line.startswith(f"{name} ") for line in lines)
    assert "fold 5 of 5 evaluated" in retrained.progress
    assert "registered as als-progression version 2 (challenger)" in retrained.progress


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("c.csv", "", "c.csv: cannot be read"),
        ("c.csv", "a,b\n1,2\n", "c.csv: no column months_since_onset, patient_id"),
        ("c.txt", "patient_id\n", "c.txt: not a .csv, .csv.gz or .parquet file"),
        ("c.csv", "patient_id,months_since_onset,alsfrs_r_total\na,10,40\na,16,37\n", "1 patients have an outcome"),
    ],
)
def test_a_bad_cohort_is_one_message(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    result = run("train", tmp_path / name, "--tracking-uri", uri)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "mlruns").exists()


def test_a_bad_mapping_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("a\n1\n", "utf-8")
    (tmp_path / "m.toml").write_text("[columns]\nnothing = 'a'\nsex = {}\n", "utf-8")
    text = fault(run("train", tmp_path / "c.csv", "--mapping", tmp_path / "m.toml"))
    assert "column 'nothing' is not in the vocabulary" in text
    assert "column 'sex'" in text


def test_evaluate_knows_no_such_marker(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("a\n1\n", "utf-8")
    text = fault(run("evaluate", tmp_path / "c.csv", "--only", "treg", "--only", "gold"))
    assert "--only: no marker is called 'gold'; there are: blood count (NLR), acute phase" in text


@pytest.mark.parametrize("command", ["evaluate", "compare", "report"])
@pytest.mark.parametrize("folder", ["file/results", "/proc/results"])
def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("", "utf-8")
    Path("c.csv").write_text("no cohort", "utf-8")
    text = fault(run(command, "c.csv", "--out", folder))
    assert text.startswith(f"Error: {folder}: cannot be written: ")
    assert text.endswith("; name another place\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "file"]


@pytest.mark.parametrize("command", ["evaluate", "compare", "report"])
def test_a_folder_that_can_be_made_is_not_made_before_the_work(tmp_path: Path, command: str) -> None:
    (tmp_path / "c.csv").write_text("no cohort", "utf-8")
    store = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    result = run(command, tmp_path / "c.csv", "--out", tmp_path / "new" / "results", "--tracking-uri", store)
    assert result.exit_code == 2
    assert "cannot be written" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_files_that_are_not_there() -> None:
    assert "does not exist" in run("train", "nowhere.csv").stderr
    assert "No such file" in run("predict", "nowhere.json", "--pack", ".").stderr


def test_as_a_process(tmp_path: Path) -> None:
    """The installed command itself: exit code 2, and the error on standard error only."""
    (tmp_path / "c.csv").write_text("a,b\n1,2\n", "utf-8")
    command = Path(sys.executable).with_name("tregcast")
    made = subprocess.run([command, "train", "c.csv"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert made.returncode == 2
    assert made.stdout == ""
    assert made.stderr == (
        "Error: c.csv: no column months_since_onset, patient_id; name columns as the vocabulary does, "
        "or give a mapping file\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


# ---------------------------------------------------------------------------------------------------- predict, pull


@pytest.fixture
def record(trained: Trained, tmp_path: Path) -> Path:
    """A patient of the cohort at the second visit, as a clinic system would send them."""
    example = next(e for e in trained.run.cohort.examples if len(e.record.visits) == 2)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(compose(example.record)), "utf-8")
    return path


def test_predict_as_json_is_the_pack_s_answer(trained: Trained, record: Path) -> None:
    example = next(e for e in trained.run.cohort.examples if len(e.record.visits) == 2)
    result = run("predict", record, "--pack", trained.pack_folder, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(
        json.dumps(render(trained.pack.predictor.predict(example.record)))
    )


def test_predict_for_a_person(trained: Trained, record: Path) -> None:
    answer = json.loads(run("predict", record, "--pack", trained.pack_folder, "--json").stdout)
    text = run("predict", record, "--pack", trained.pack_folder).stdout
    assert f"{answer['progression_rate']:.2f}" in text
    assert answer["contributions"][0]["label"] in text
    assert "SIMULATED" in text


def test_predict_from_standard_input(trained: Trained, record: Path) -> None:
    arguments = ["predict", "-", "--pack", str(trained.pack_folder), "--json"]
    piped = CliRunner().invoke(main, arguments, input=record.read_bytes())
    assert json.loads(piped.stdout) == json.loads(run("predict", record, *arguments[2:]).stdout)


def test_an_abstention_is_an_answer(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    visit = {
        "months_since_onset": {"value": 20, "unit": "mo"},
        "measurements": {"crp": {"value": 2, "unit": "mg/L"}},
    }
    path.write_text(json.dumps({"visits": [visit]}), "utf-8")
    result = run("predict", path, "--pack", trained.pack_folder)
    assert result.exit_code == 0
    assert "There is no ALSFRS-R total (alsfrs_r_total) in the record" in result.stdout


def test_a_bad_record_with_every_problem(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    visit = {
        "months_since_onset": {"value": 20, "unit": "mo"},
        "measurements": {"crp": {"value": 8200, "unit": "mg/L"}},
    }
    path.write_text(json.dumps({"sex": 1, "visits": [visit]}), "utf-8")
    text = fault(run("predict", path, "--pack", trained.pack_folder))
    assert "the record is rejected:" in text
    assert "visits[0].measurements.crp = 8200 mg/L is above 0-500 mg/L; sent in ug/L?" in text
    assert "sex = 1 is not a text" in text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"visits": NaN}', b'{"a": 1, "a": 2}', b"[]"])
def test_a_body_that_is_no_record(trained: Trained, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(body)
    assert "the record is rejected:" in fault(run("predict", path, "--pack", trained.pack_folder))


def test_a_pack_that_is_none(trained: Trained, record: Path, tmp_path: Path) -> None:
    assert "manifest.json: not a regular file" in fault(run("predict", record, "--pack", tmp_path / "nothing"))
    uri = trained.run.tracking_uri
    text = fault(run("predict", record, "--pack", "models:/nobody@champion", "--tracking-uri", uri))
    assert "models:/nobody@champion: " in text
    assert "`tregcast train` registers a model" in text
    assert "is not models:/NAME@ALIAS" in fault(
        run("predict", record, "--pack", "models:/x", "--tracking-uri", uri)
    )


def test_pull(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("pull", "models:/als-progression/1", "--tracking-uri", trained.run.tracking_uri)
    assert result.exit_code == 0
    folder, said = result.stdout.splitlines()
    assert said == f"models:/als-progression/1 verified, pack {trained.pack.id}"
    assert (tmp_path / folder / "manifest.json").is_file()
    default = run("pull", "--tracking-uri", trained.run.tracking_uri)
    assert f"models:/als-progression@champion verified, pack {trained.pack.id}" in default.stdout
    assert "is not models:/NAME@ALIAS" in fault(run("pull", "x", "--tracking-uri", trained.run.tracking_uri))


def test_a_store_that_cannot_be_opened(record: Path) -> None:
    assert "cannot be opened" in fault(run("pull", "--tracking-uri", "nonsense://store"))


# ------------------------------------------------------------------------------------------------- asking a service


class Canned(http.server.BaseHTTPRequestHandler):
    """A server that is no Tregcast service, or one that refuses: the path says which."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        document = {"detail": "nothing was computed.", "problems": [{"message": "sex = 1 is not a text"}]}
        status, body = {
            "/problem/v1/predict": (422, json.dumps(document).encode()),
            "/html/v1/predict": (502, b"<h1>Bad gateway</h1>"),
            "/text/v1/predict": (200, b"hello"),
        }[self.path]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def canned() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Canned) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("problem", "the service answered 422:\nnothing was computed.\n  - sex = 1 is not a text"),
        ("html", "the service answered 502:\n<h1>Bad gateway</h1>"),
        ("text", "no answer of a Tregcast service"),
    ],
)
def test_a_service_that_does_not_answer_the_record(canned: str, tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "record.json").write_text("{}", "utf-8")
    assert says in fault(run("predict", tmp_path / "record.json", "--url", f"{canned}/{path}"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/passwd", "ftp://x"])
def test_a_service_that_is_not_there(tmp_path: Path, url: str) -> None:
    (tmp_path / "record.json").write_text("{}", "utf-8")
    assert url in fault(run("predict", tmp_path / "record.json", "--url", url))
