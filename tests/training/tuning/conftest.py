"""What tests of the search share: sixty patients, stores to begin with, and one search that nothing broke."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.tracking import open_store
from training.tuning.study_store import open_storage
from training.tuning.trials import Search

if TYPE_CHECKING:
    import pandas as pd

from tests.training.tuning.searches import PATIENTS, store, tuned


@pytest.fixture(scope="session")
def cohort_file(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tuned") / "sixty.parquet"
    few = reference_frame["patient_id"].unique()[:PATIENTS]
    reference_frame[reference_frame["patient_id"].isin(few)].to_parquet(file, index=False)
    return file


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases, empty: making MLflow's tables takes seconds, so tests begin with a copy."""
    folder = tmp_path_factory.mktemp("stores")
    open_store(store(folder))
    with open_storage(f"sqlite:///{folder / 'tuning.db'}"):
        pass
    return folder


@pytest.fixture(scope="session")
def folder(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(stores, tmp_path_factory.mktemp("unbroken") / "mlruns"))


@pytest.fixture
def own(stores: Path, tmp_path: Path) -> Path:
    """A folder of the test's own with both databases."""
    return Path(shutil.copytree(stores, tmp_path / "mlruns"))


@pytest.fixture(scope="session")
def unbroken(cohort_file: Path, folder: Path) -> Search:
    return tuned(cohort_file, folder).search
