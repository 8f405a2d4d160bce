"""What is done to folders of packs: links that are pointed elsewhere, and copies that are spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path


def point(link: Path, folder: Path) -> None:
    """Point a link at a folder in one step, as `training.registry` does."""
    fresh = link.with_name(f".{link.name}")
    fresh.symlink_to(folder)
    fresh.replace(link)


def spoilt(folder: Path, to: Path) -> Path:
    """A copy of a pack of which one byte of one file is another."""
    shutil.copytree(folder, to)
    data = bytearray((to / "calibration.json").read_bytes())
    data[40] = ord("7") if data[40] != ord("7") else ord("8")
    (to / "calibration.json").write_bytes(data)
    return to
