"""Which code answers: two checkouts of one version may differ, and a run that goes on must not mix them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from scoring.runs.plan import digest_of

ROOMS = ("features", "model", "scoring")  # all that an answer comes from
LIBRARIES = ("numba", "numpy", "pyarrow")  # and what they count with


def code_digest(root: Path = Path(__file__).parents[2]) -> str:
    """The digest of the rooms' source files below a folder, and the versions of the libraries.

    >>> code_digest() == code_digest()
    True
    """
    files = sorted(path for room in ROOMS for ending in ("*.py", "*.toml") for path in (root / room).rglob(ending))
    return " ".join([digest_of(root, files), *(f"{name}=={version(name)}" for name in LIBRARIES)])
