"""From a path to what reads it, by its ending, once its first bytes agree."""

from __future__ import annotations

from pathlib import Path

from features.mapping import ColumnMapping
from features.table_file import A_PIPE, CSV, PARQUET, RECORDS, has_ending, is_pipe, misnamed
from scoring.fault import InputFault
from scoring.sources.csv_file import open_csv
from scoring.sources.ndjson_file import NdjsonFile
from scoring.sources.parquet_file import open_parquet
from scoring.sources.piece import Source
from scoring.sources.text_file import opened, reading


def open_source(path: Path, mapping: ColumnMapping) -> Source:
    """Open an input and check what can be seen of it without reading it all.

    Raises:
        InputFault: of what it is, or of what it is not.
    """
    _require_file(path)
    if path.is_dir() or has_ending(path.name, PARQUET):
        return open_parquet(path, mapping)
    if has_ending(path.name, CSV):
        return open_csv(path, mapping)
    if mapping.sources:
        raise InputFault(f"{path}: records name their quantities and units themselves; leave the mapping out")
    with opened(path) as (file, _):
        file.read(1)
    return NdjsonFile(path)


def _require_file(path: Path) -> None:
    """Refuse what cannot be read twice, has another ending, or is not what its ending says."""
    with reading(path):
        if is_pipe(path):
            raise InputFault(f"{path}: {A_PIPE}")
        if path.is_dir():
            return
        if not has_ending(path.name, (*PARQUET, *CSV, *RECORDS)):
            raise InputFault(
                f"{path}: not a .parquet, .csv or .ndjson file (or .csv.gz, .jsonl), nor a folder of Parquet"
            )
        wrong = misnamed(path)
    if wrong is not None:
        raise InputFault(f"{path}: {wrong}")
