"""Packs to be spoilt: a copy of the trained pack, and a forger's work on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.pack import FILES, MANIFEST


def seal(folder: Path) -> None:
    """Write the manifest anew, with the sizes and digests that the files have now: a forger's work."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"] = {
        name: {
            "size": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for name in FILES
    }
    (folder / MANIFEST).write_bytes(json.dumps(manifest).encode())


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change the JSON of one file, and seal."""
    value = json.loads((folder / name).read_bytes())
    changed = change(value)
    (folder / name).write_text(json.dumps(value if changed is None else changed), "utf-8")
    seal(folder)
