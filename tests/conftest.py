"""What several tests share: a small SIMULATED cohort, one training run on it, and the pack that came of it.

Every test that asks for the run goes to the same worker (`pytest -n 2 --dist loadgroup`), so it is done once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from cli import main
from model.pack import Pack
from model.predictor import Predictor
from tests.servers import postgres_cluster
from training.reference.reference_cohort import simulate
from training.registry import pull
from training.train import TrainingRun, train

ROOT = Path(__file__).parents[1]
PATIENTS, SEED = 160, 7
PROVENANCE = f"simulated: Tregcast reference cohort, {PATIENTS} patients, seed {SEED}"
# fixture -> the worker that all its tests share
ONE_WORKER = {
    "trained": "trained",
    "rivals": "rivals",
    "proact_cohort": "proact",
    "tracking_server": "tracking",
    "unbroken": "search",
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, group in ONE_WORKER.items():
            if fixture in getattr(item, "fixturenames", ()) and item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(group))
        mark = item.get_closest_marker("xdist_group")
        if mark is not None and config.getoption("loadgroup", default=False):
            _tell_the_group(item, str(mark.args[0]))


def _tell_the_group(item: pytest.Item, group: str) -> None:
    """Put the group where xdist's scheduler looks: pytest 9.2 no longer reads what xdist 3.8 writes.

    Without it each worker trains for itself: https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    structured = getattr(item, "_id", None)
    if structured is not None and not item.nodeid.endswith(f"@{group}"):
        item._id = type(structured).parse(f"{item.nodeid}@{group}")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Trained:
    """A training run, its store (``folder`` holds mlflow.db and artifacts) and its pack, pulled from there."""

    run: TrainingRun
    folder: Path
    pack_folder: Path
    pack: Pack


@pytest.fixture(scope="session")
def reference_frame() -> pd.DataFrame:
    """160 simulated patients, as ``tregcast cohort simulate`` writes them. Copy it before you change it."""
    frame = simulate(PATIENTS, SEED)
    frame["provenance"] = PROVENANCE
    return frame


@pytest.fixture(scope="session")
def reference_file(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a Parquet file."""
    path = tmp_path_factory.mktemp("cohort") / "reference.parquet"
    reference_frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def trained(reference_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of `train` on the cohort into a store of its own, in which version 1 stays the champion."""
    folder = tmp_path_factory.mktemp("mlruns")
    uri = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
    run = train(reference_file, tracking_uri=uri)
    pack_folder, pack = pull(f"models:/{run.version.name}/1", uri, folder / "packs")
    return Trained(run, folder, pack_folder, pack)


@dataclass(frozen=True)
class Retrained:
    """What the command printed when it trained a second version of the same model, on fewer patients."""

    cohort_file: Path
    output: str
    progress: str


@pytest.fixture(scope="session")
def retrained(
    trained: Trained, reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Retrained:
    """``tregcast train`` with fifty of the patients, into the store of `trained`: version 2."""
    file = tmp_path_factory.mktemp("second") / "fifty.csv"
    few = reference_frame["patient_id"].unique()[:50]
    reference_frame[reference_frame["patient_id"].isin(few)].to_csv(file, index=False)
    arguments = ["train", str(file), "--index-visits", "first", "--tracking-uri", trained.run.tracking_uri]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return Retrained(file, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def predictor(trained: Trained) -> Predictor:
    """The predictor of that pack."""
    return trained.pack.predictor


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of this worker: gives what makes a database of a name and says its URI."""
    with postgres_cluster() as make:
        yield make


@pytest.fixture(scope="session")
def proact_file() -> Path:
    """The file of real trial visits, which is not part of this project."""
    said = os.environ.get("TREGCAST_PROACT")
    path = Path(said) if said else ROOT.parent / "shared" / "data" / "proact_visits.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there (PRO-ACT data are had by registration; name the file in TREGCAST_PROACT)")
    return path
