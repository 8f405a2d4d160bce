"""Who may write a pack: whoever can, decides what patients' numbers are, so nobody but its owner may."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_IMODE, S_ISVTX, S_IWGRP, S_IWOTH

from model.pack import Refused

_OTHERS = S_IWGRP | S_IWOTH


def refuse_writable(folder: Path) -> None:
    """Refuse a pack that others than its owner may write: the folder, a file in it, or the folder it lies in.

    On a file system that is mounted read-only nobody may, whatever the modes say.

    Raises:
        Refused: ``writable_by_others``, with the file and the remedy.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return
        for path in (folder, *sorted(folder.iterdir())):
            if S_IMODE(path.lstat().st_mode) & _OTHERS and not path.is_symlink():
                raise _refused(
                    path.name if path != folder else "the folder", "chmod -R go-w, or mount it read-only"
                )
        above = S_IMODE(folder.parent.stat().st_mode)
        if above & S_IWOTH and not above & S_ISVTX:
            raise _refused("the folder above it", "chmod o-w")
    except OSError:
        return  # who loads it says what cannot be read


def _refused(name: str, remedy: str) -> Refused:
    return Refused(f"{name}: other users may write it; {remedy}", "writable_by_others")
