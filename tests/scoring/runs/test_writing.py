"""What is left where writing the output fails while rows are still scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.batch_rows import write_rows
from scoring.fault import ScoringFault
from tests.scoring.conftest import Score

ROWS = 9000  # more than are turned into text at a time, so that parts wait while some are written


def test_no_file_stays_open(scored: Score, tmp_path: Path) -> None:
    """Even while the error is held, and with it all that was under way."""
    source, folder = tmp_path / "rows.parquet", tmp_path / "out"
    write_rows(source, ROWS, 3)
    folder.mkdir()
    (folder / ".a.csv.unfinished").symlink_to("/dev/full")
    with pytest.raises(ScoringFault, match="the disk is full; make room, then --resume goes on") as held:
        scored(source, folder / "a.csv", chunk_rows=600, workers=2)
    assert [name for name in open_files() if str(tmp_path) in name] == []
    assert [path.name for path in folder.iterdir()] == [".a.csv.parts"]
    del held
    assert scored(source, folder / "a.csv", chunk_rows=600, resume=True).rows == ROWS


def open_files() -> list[str]:
    """What this process has open."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(handle.readlink()))
        except FileNotFoundError:  # the one that reads this folder
            continue
    return found
