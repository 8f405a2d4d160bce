"""Tables in files: CSV or Parquet by the ending, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as ``.parquet``, ``.csv`` or ``.csv.gz``; the file appears complete or not at all.

    Raises:
        ValueError: another ending.
        OSError: the folder cannot be written.
    """
    ending = next((e for e in (".parquet", ".csv", ".csv.gz") if path.name.lower().endswith(e)), None)
    if ending is None:
        raise ValueError(f"{path}: not a .csv, .csv.gz or .parquet file")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if ending == ".parquet":
            frame.to_parquet(scratch, index=False)
        else:
            packed: Literal["gzip"] | None = "gzip" if ending == ".csv.gz" else None
            frame.to_csv(scratch, index=False, compression=packed)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
