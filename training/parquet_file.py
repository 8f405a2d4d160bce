"""A Parquet file as a frame whose identifiers are text and whose days are days, as `scoring` reads them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from features.identifier import REMEDY, IdentifierError, identifier
from features.instants import ARROW_NOTE, CELL_REMEDY, DAY_REMEDY, NO_CELL, ZONE_MISSING, ZONE_UNKNOWN
from features.table import absent

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_TOLD = 10


def read_parquet(
    path: Path, identifiers: Collection[str], days: Collection[str], used: Collection[str]
) -> pd.DataFrame:
    """The table of a file, an index that pandas wrote among its columns.

    Args:
        path: of the file.
        identifiers: headers of columns of identifiers, each cell of which becomes a text or None.
        days: headers of columns of days.
        used: every header that is used; others may hold anything.

    Raises:
        ValueError: a column holds what no cell, no identifier or no day is; all of them are told.
        OSError: the file cannot be had.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table, noted = file.read(), ARROW_NOTE.encode() in (file.metadata.metadata or {})
        leaves = [file.schema.column(at) for at in range(len(file.schema))]
    int96 = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    problems: list[str] = []
    made: dict[str, list[object]] = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name in used and not _is_cell(kind):
            problems.append(f"{name} {NO_CELL.format(kind=kind)}; {CELL_REMEDY}")
        elif name in identifiers:
            made[name] = _texts(table[name], name, problems)
        elif name in days and str(kind).startswith("timestamp"):
            unknown = not noted and (kind.tz is not None or name in int96)
            made[name] = _days(table[name], name, unknown, problems)
    if problems:
        raise ValueError("; ".join(problems))
    kept = [name for name in table.column_names if name in made or name not in used or _is_cell(table[name].type)]
    frame: pd.DataFrame = table.select([name for name in kept if name not in made]).to_pandas(ignore_metadata=True)
    for name, cells in made.items():
        frame[name] = pd.Series(cells, index=frame.index, dtype=object)
    return frame[kept]


def _is_cell(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    numbers = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    return any(is_type(kind) for is_type in (*texts, *numbers, types.is_date, types.is_timestamp))


def _texts(column: pa.ChunkedArray, name: str, problems: list[str]) -> list[object]:
    import numpy as np
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    number = np.dtype(kind.to_pandas_dtype()).type if pa.types.is_floating(kind) else None
    made: list[object] = []
    wrong: list[tuple[int, str]] = []
    for row, cell in enumerate(column.to_pylist(), 1):
        try:
            made.append(None if absent(cell) else identifier(cell if number is None else number(cell)))
        except IdentifierError as error:
            wrong.append((row, str(error)))
    if wrong:
        rows = ", ".join(str(row) for row, _ in wrong[:MOST_TOLD])
        more = f" and {len(wrong) - MOST_TOLD} more rows" if len(wrong) > MOST_TOLD else ""
        problems.append(f"row {rows}{more}: {name} {wrong[0][1]}; {REMEDY}")
    return made


def _days(column: pa.ChunkedArray, name: str, unknown: bool, problems: list[str]) -> list[object]:
    import pyarrow as pa
    import pyarrow.compute as pc

    instants = column.cast(pa.timestamp(column.type.unit)) if unknown else column
    try:
        local = pc.local_timestamp(instants) if instants.type.tz is not None else instants
    except pa.ArrowInvalid:
        problems.append(f"{name} {ZONE_MISSING} ({column.type.tz}); {DAY_REMEDY}")
        return []
    found = local.cast(pa.date32())
    if unknown:
        at = pc.index(pc.not_equal(found.cast(instants.type), instants), value=True).as_py()
        if at >= 0:
            problems.append(f"row {at + 1}: {name} {ZONE_UNKNOWN}; {DAY_REMEDY}")
    days: list[object] = found.to_pylist()
    return days
