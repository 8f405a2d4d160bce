"""The table of a chunk in the words of the vocabulary: its columns, or some of its rows."""

from __future__ import annotations

import pyarrow as pa

from features.mapping import ColumnMapping, apply_mapping
from features.table import Row
from scoring.cells import Column


def mapped_columns(table: pa.Table, mapping: ColumnMapping) -> dict[str, Column]:
    """By vocabulary column. Those that are taken as they are stay Arrow's; those that a mapping makes are lists."""
    remade = {
        header
        for source in mapping.sources.values()
        for header in source.headers
        if source.values or source.flags or source.is_sum
    }
    cells = {name: table[name].to_pylist() if name in remade else table[name] for name in table.column_names}
    return apply_mapping(mapping, cells, refuse=False)[0]


def mapped_rows(table: pa.Table, mapping: ColumnMapping) -> list[Row]:
    """Row by row, cells by vocabulary column."""
    cells = {name: table[name].to_pylist() for name in table.column_names}
    columns, _ = apply_mapping(mapping, cells, refuse=False)
    if not columns:
        return [{} for _ in range(table.num_rows)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
