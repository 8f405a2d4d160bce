"""A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast


def unfinished(target: Path) -> Path:
    """What a file is called until it is whole.

    >>> print(unfinished(Path("out/answers.csv")))
    out/.answers.csv.unfinished
    """
    return target.with_name(f".{target.name}.unfinished")


@contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """The unfinished file to write to, on the disk at the end; as gzip without a time where the name says so."""
    with unfinished(target).open("wb") as raw:
        if target.name.lower().endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())


def place(target: Path) -> None:
    """Put the whole file in its place; of a symbolic link, in the place of the link itself."""
    unfinished(target).replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Make what a file holds, or the names in a folder, outlive the machine's power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
