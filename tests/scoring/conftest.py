"""What the tests of runs share: a small cohort in several orders and forms, and a way to score it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from model.pack import Pack
from scoring.runs.progress import silent
from scoring.runs.run import Job, run
from scoring.summary import Summary
from tests.service.conftest import other_pack_folder, pack, pack_folder

__all__ = ["other_pack_folder", "pack", "pack_folder"]

Score = Callable[..., Summary]


@pytest.fixture(scope="session")
def visits(reference_frame: pd.DataFrame) -> pd.DataFrame:
    """The visits of 30 simulated patients, in long format."""
    few = reference_frame["patient_id"].unique()[:30]
    return reference_frame[reference_frame["patient_id"].isin(few)].reset_index(drop=True)


@pytest.fixture(scope="session")
def visits_file(visits: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as Parquet."""
    path = tmp_path_factory.mktemp("visits") / "visits.parquet"
    visits.to_parquet(path, index=False)
    return path


@pytest.fixture
def scored(pack: Pack) -> Score:
    """Scores an input into an output, as of a day, in chunks of few rows."""

    def score(source: Path, out: Path, **asked: object) -> Summary:
        known: dict[str, object] = {
            "rejects": out.with_name(f"{out.name}.rejects.ndjson"),
            "summary": out.with_name(f"{out.name}.summary.json"),
            "mapping": None,
            "explain": "top5",
            "coverage": 0.9,
            "as_of": "2026-01-01",
            "chunk_rows": 40,
        }
        progress = asked.pop("progress", silent)
        return run(Job(source, out, **{**known, **asked}), pack, progress)  # type: ignore[arg-type]

    return score
