"""What must not become champion, and what must not harm the one there is: each with its refusal.

A worse model and a changed pack are in test_promotion.py, two decisions at once in test_decision_chain.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from tests.servers import free_port, mlflow_server, postgres_cluster
from tests.training.rivals import NAME, QUICK, Rivals, frame
from training.promotion.gates import NONE_JUDGED

ROOT = Path(__file__).parents[3]
CHAMPION = f"models:/{NAME}@champion"
REFUSED, UNUSABLE = 3, 2  # exit codes

pytestmark = pytest.mark.xdist_group("rivals")


@pytest.fixture(scope="module")
def promoted(rivals: Rivals, tmp_path_factory: pytest.TempPathFactory) -> Rivals:
    """A store in which version 2, which knows both markers, was promoted."""
    own = rivals.copied(tmp_path_factory.mktemp("misused") / "store")
    command(own.uri, "promote", own.files["better"].table, "--challenger", own.reference("better"))
    return own


@pytest.fixture
def store(promoted: Rivals, tmp_path: Path) -> str:
    """The same in a store of the test's own."""
    return promoted.copied(tmp_path / "store").uri


def command(store: str, *arguments: object, code: int = 0) -> str:
    """What a command says on both streams; it ends with this exit code, and with no exception that is not told."""
    given = [*map(str, arguments), "--tracking-uri", store]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def start(store: str, *arguments: object, **settings: str) -> subprocess.Popen[str]:
    """A command at work on a store, in a process of its own; ``settings`` are of its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TREGCAST_"))}
    words = [sys.executable, "-m", "cli", *map(str, arguments), "--tracking-uri", store]
    pipe, known = subprocess.PIPE, {**kept, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=known, cwd="/")


def train(store: str, folder: Path, table: pd.DataFrame, *options: object, code: int = 0) -> tuple[Path, str]:
    """A challenger trained on a table: the file, and what the command said."""
    file, settings = folder / "cohort.csv", folder / "quick.json"
    table.to_csv(file, index=False)
    settings.write_text(json.dumps(asdict(QUICK)), "utf-8")
    how = ("--name", NAME, "--index-visits", "first", "--settings", settings)
    return file, command(store, "train", file, *how, *options, code=code)


def assert_champion_unharmed(store: str, version: str = "2") -> None:
    """It serves, its pack verifies, and the chain of decisions is whole."""
    result = CliRunner().invoke(main, ["lineage", CHAMPION, "--json", "--tracking-uri", store])
    found = json.loads(result.stdout)
    assert (found["version"], found["problems"]) == (version, [])


def refused(store: str, file: Path, *options: object) -> dict[str, str]:
    """The gates that promotion of the newest challenger fails at, with what each says."""
    said = command(store, "promote", file, "--name", NAME, *options, code=REFUSED)
    assert "Nothing was moved: version 2 stays champion." in said
    assert_champion_unharmed(store)
    return dict(re.findall(r"FAIL  (.+?)  +(.+?)  \[", said))


# ------------------------------------------------------------------------------------------------ wrong cohorts


def test_a_feature_that_knows_the_outcome(store: str, tmp_path: Path) -> None:
    table = frame()
    scores = table.groupby("patient_id")["alsfrs_r_total"]
    loss = (scores.transform("first") - scores.transform("last")).clip(lower=0)
    file, _ = train(store, tmp_path, table.assign(nfl_pg_ml=20.0 + 5.0 * loss))
    checked = CliRunner().invoke(main, ["cohort", "check", str(file), "--index-visits", "first"])
    assert "foretells_outcome" in checked.output
    assert refused(store, file)["no leak"].startswith("nfl_pg_ml 1.00")


def test_a_marker_in_another_unit(store: str, tmp_path: Path) -> None:
    table = frame()
    file, _ = train(store, tmp_path, table.assign(il6_pg_ml=(100.0 * table["il6_pg_ml"]).round(2)))
    failed = refused(store, file)
    assert list(failed) == ["same units"], "in its own unit it is as good as before"
    assert re.fullmatch(r"il6_pg_ml median 4\.\d+ -> 4\d\d", failed["same units"])


def test_a_score_of_another_scale(store: str, tmp_path: Path) -> None:
    table = frame().rename(columns={"alsfrs_r_total": "alsfrs_total"})
    file, _ = train(store, tmp_path, table.assign(alsfrs_total=table["alsfrs_total"].clip(upper=40)))
    failed = refused(store, file, "--override", "we have no other")
    assert "card.outcome.scale: ALSFRS-R (0-48) -> ALSFRS (0-40)" in failed["allowed changes"]


def test_a_unit_that_is_not_one(store: str, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    columns = "".join(f"{name} = '{name}'\n" for name in ("patient_id", "months_since_onset", "alsfrs_r_total"))
    mapping.write_text(f"[columns]\n{columns}crp_mg_l = {{ header = 'nfl_pg_ml', unit = 'pints' }}\n", "utf-8")
    _, said = train(store, tmp_path, frame(), "--mapping", mapping, code=UNUSABLE)
    assert "pints" in said
    assert_champion_unharmed(store)


def test_a_cohort_without_any_subgroup_to_judge(store: str, tmp_path: Path) -> None:
    table = frame()
    file, _ = train(store, tmp_path, table)
    men = tmp_path / "men.csv"
    table[table["sex"] == "male"].to_csv(men, index=False)
    failed = refused(store, men, "--trained-on", file)
    assert failed["coverage in subgroups"] == failed["no subgroup worse"] == NONE_JUDGED


# ------------------------------------------------------------------------------------------------ broken stores


def test_a_server_that_dies_in_the_middle_of_logging(tmp_path: Path) -> None:
    port, database = free_port(), f"sqlite:///{tmp_path / 'mlflow.db'}"
    with mlflow_server(database, tmp_path, port) as uri:
        train(uri, tmp_path, frame())
        logged = _files(tmp_path / "artifacts")
        how = ("--name", NAME, "--index-visits", "first", "--settings", tmp_path / "quick.json")
        once = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}  # not a quarter of a minute at each of the last calls
        process = start(uri, "train", tmp_path / "cohort.csv", *how, **once)
        until = time.monotonic() + 120
        while _files(tmp_path / "artifacts") == logged:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
    out, err = process.communicate(timeout=240)
    assert process.returncode == UNUSABLE, out + err
    assert "Traceback" not in err
    assert f"{uri}: failed in the middle of the work: Connection refused. No champion was replaced." in err
    with mlflow_server(database, tmp_path, port):
        assert_champion_unharmed(uri, "1")


def _files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


def test_a_full_disk(store: str, tmp_path: Path) -> None:
    """A disk of the store's own size and a little more, mounted for the commands alone."""
    folder = Path(store.removeprefix("sqlite:///")).parent
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) // 1024 + 4 * _files(kept) + 60
    file, settings = tmp_path / "cohort.csv", tmp_path / "quick.json"
    frame().to_csv(file, index=False)
    settings.write_text(json.dumps(asdict(QUICK)), "utf-8")
    tregcast = f"{sys.executable} -m cli"
    end = f"--tracking-uri {store}"
    script = f"""
        mount -t tmpfs -o size={size}k none {folder} && cp -a {kept}/. {folder} || exit 99
        {tregcast} train {file} --name {NAME} --index-visits first --settings {settings} {end}
        echo "exit code $?" >&2
        {tregcast} lineage {CHAMPION} --json {end}
    """
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=300, env=known, check=False
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert "exit code 2" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "failed in the middle of the work" in done.stderr
    found = json.loads(done.stdout)
    assert (found["version"], found["problems"]) == ("2", [])


def test_a_wrong_password(tmp_path: Path) -> None:
    with postgres_cluster("right-one") as database:
        uri = database("mlflow")
        file, _ = train(uri, tmp_path, frame())
        wrong = uri.replace("right-one", "wr0ng")
        for arguments in (("promote", file, "--name", NAME), ("rollback", "--name", NAME, "--reason", "x")):
            said = command(wrong, *arguments, code=UNUSABLE)
            assert "password authentication failed" in said
            assert "wr0ng" not in said
        assert_champion_unharmed(uri, "1")
