"""The notebook of a data scientist, every cell of it run in a kernel of this very Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
RUN = """
import sys
import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

manager = AsyncKernelManager()  # its kernel is this Python, whatever kernels are installed for the user
manager._kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, km=manager, timeout=300).execute()
nbformat.write(notebook, sys.argv[2])
"""
NOTEBOOK = ROOT / "docs" / "notebooks" / "retraining.ipynb"


def test_it_is_committed_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert "committed without outputs" in cells[0].source
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) > 8
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all that the notebook writes goes."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def ran(folder: Path) -> Any:
    """The notebook after its run, which is in a process of its own: jupyter_client leaves sockets to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"TMPDIR": str(folder), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN, str(NOTEBOOK), str(folder / "ran.ipynb")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(folder / "ran.ipynb", as_version=4)


def said(cell: Any) -> str:
    """All that a cell has printed or shown as text."""
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(parts)


@pytest.mark.slow
def test_every_cell_runs_and_says_what_it_promises(ran: Any, folder: Path) -> None:
    text = "\n".join(said(cell) for cell in ran.cells if cell.cell_type == "code")
    assert "SIMULATED" in text
    assert "als-progression version 1 (challenger, champion)" in text
    errors = [float(found) for found in re.findall(r"^tregcast +(\d\.\d+)", text, re.MULTILINE)]
    assert errors
    assert all(0 < error < 2 for error in errors)
    assert "Challenger minus champion" in text
    assert re.search(r"decision 2, .*version 2 (was refused|took the place)", text)
    assert re.search(r"(pass|FAIL)  non-inferior", text)
    [made] = folder.glob("tregcast-*")
    assert (made / "mlflow.db").is_file()
