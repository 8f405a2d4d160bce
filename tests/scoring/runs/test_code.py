"""The digest of the code that answers: any source file of it changes it, and what nobody runs does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scoring.runs.code import ROOMS, code_digest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms, elsewhere."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_place_does_not_matter(copy: Path) -> None:
    assert code_digest(copy) == code_digest()
    assert f"numpy=={np.__version__}" in code_digest()


@pytest.mark.parametrize("name", ["features/vocabulary.toml", "model/copula.py", "scoring/compiled/tables.py"])
def test_a_change_of_one_byte_is_seen(copy: Path, name: str) -> None:
    with (copy / name).open("a") as file:
        file.write("\n")
    assert code_digest(copy) != code_digest()


def test_a_file_less_is_seen_and_what_was_compiled_is_not(copy: Path) -> None:
    (copy / "features" / "__pycache__").mkdir()
    (copy / "features" / "__pycache__" / "units.cpython-311.pyc").write_bytes(b"compiled")
    assert code_digest(copy) == code_digest()
    (copy / "scoring" / "columns.py").unlink()
    assert code_digest(copy) != code_digest()
