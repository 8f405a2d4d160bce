"""Which of the pulled packs are kept: those that are linked to, and the last ones that were."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from model.pack_report import report_path
from training.registry import SCRATCH

FEWEST = 3  # the pack in use, and two to go back to without fetching
_PACK = re.compile(r"[0-9a-f]{64}")
_DROPPED = ".drop-"
_LEFT_AFTER_SECONDS = 3600  # of a process that was killed; a pack is fetched in far less


def mark_used(folder: Path) -> None:
    """Note on a pack's folder that it was linked to now. Its files are not touched."""
    os.utime(folder)


def drop_old(packs: Path, keep: int) -> tuple[str, ...]:
    """Delete all packs but those that a link of the folder points to and the last ``keep`` that were marked.

    The report beside a pack goes with it. Also deleted is what a killed process has left half done for an hour.
    Anything else in the folder is left alone.

    Args:
        packs: the folder of `training.registry.pull`.
        keep: how many, at least `FEWEST`; linked ones count.

    Returns:
        The ids of the packs that were deleted.
    """
    if keep < FEWEST:
        raise ValueError(f"keep = {keep} is below {FEWEST}; going back to the pack before would need fetching")
    linked = {path.resolve().name for path in packs.iterdir() if path.is_symlink()}
    held = [path for path in packs.iterdir() if _PACK.fullmatch(path.name) and not path.is_symlink()]
    held.sort(key=lambda path: (path.name in linked, path.stat().st_mtime_ns), reverse=True)
    old = [path for path in held[keep:] if path.name not in linked]
    for path in old:
        _delete(path)
    for path in packs.iterdir():
        if path.name.startswith((SCRATCH, _DROPPED)) and time.time() - path.lstat().st_mtime > _LEFT_AFTER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
    return tuple(path.name for path in old)


def _delete(path: Path) -> None:
    """In two steps, so that half a pack never stands under the name of a pack."""
    dropped = path.with_name(_DROPPED + path.name)
    with suppress(OSError):
        report_path(path).unlink()
    with suppress(OSError):  # of two that delete the same, one comes second; what cannot be deleted stays
        path.rename(dropped)
        shutil.rmtree(dropped)
