"""From a path to what reads it, by its ending."""

from __future__ import annotations

from pathlib import Path

from features.mapping import ColumnMapping
from scoring.fault import InputFault
from scoring.sources.csv_file import open_csv
from scoring.sources.ndjson_file import NdjsonFile
from scoring.sources.parquet_file import open_parquet
from scoring.sources.piece import Source
from scoring.sources.text_file import opened

TABLES = (".csv", ".csv.gz")
RECORDS = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")


def open_source(path: Path, mapping: ColumnMapping) -> Source:
    """Open an input and check what can be seen of it without reading it all.

    Raises:
        InputFault: of what it is, or of what it is not.
    """
    if path.is_dir() or path.name.endswith(".parquet"):
        return open_parquet(path, mapping)
    if path.name.endswith(TABLES):
        return open_csv(path, mapping)
    if not path.name.endswith(RECORDS):
        raise InputFault(
            f"{path}: not a .parquet, .csv or .ndjson file (or .csv.gz, .jsonl), nor a folder of Parquet"
        )
    if mapping.sources:
        raise InputFault(f"{path}: records name their quantities and units themselves; leave the mapping out")
    with opened(path) as (file, _):
        file.read(1)
    return NdjsonFile(path)
