"""A pack that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Trained


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained pack that a test may spoil."""
    return Path(shutil.copytree(trained.pack_folder, tmp_path / "pack"))
