"""The columns of a table in plain types, whatever the file has: identifiers, days, text, numbers, booleans.

Identifiers become text or whole numbers that are the same text (see `features.identifier`), days become days of the
sender's own calendar (see `features.instants`), all kinds of text become text. What no cell can be is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.identifier import BLANKS, LIKE_NOTHING, NO_IDENTIFIER, REMEDY, IdentifierError, identifier
from features.instants import CELL_REMEDY, DAY_REMEDY, NO_CELL, ZONE_MISSING, ZONE_UNKNOWN
from features.mapping import ColumnMapping
from features.table import DATE, ONSET
from scoring.fault import InputFault

_TYPES = pa.types
_TEXTS = (_TYPES.is_string, _TYPES.is_large_string, _TYPES.is_string_view)
_CELLS = (
    *_TEXTS,
    *(_TYPES.is_integer, _TYPES.is_floating, _TYPES.is_decimal, _TYPES.is_boolean, _TYPES.is_null),
    *(_TYPES.is_date, _TYPES.is_timestamp),
)
_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def plain_type(header: str, kind: pa.DataType) -> pa.DataType:
    """The type that a column is read as, categories as what they stand for.

    Raises:
        InputFault: no cell is of this type.

    >>> plain_type("sex", pa.dictionary(pa.int8(), pa.string_view()))
    DataType(string)
    >>> plain_type("crp_mg_l", pa.list_(pa.float64()))
    Traceback (most recent call last):
    scoring.fault.InputFault: crp_mg_l is of a type that no cell has (list<item: double>); store numbers, text, ...
    """
    kind = kind.value_type if _TYPES.is_dictionary(kind) else kind
    if not any(is_type(kind) for is_type in _CELLS):
        raise InputFault(f"{header} {NO_CELL.format(kind=kind)}; {CELL_REMEDY}")
    return pa.string() if any(is_type(kind) for is_type in _TEXTS) else kind


def identifier_type(header: str, kinds: Iterable[pa.DataType]) -> pa.DataType:
    """The type of identifiers whose columns are of these types: whole numbers where all of them are, else text.

    Raises:
        InputFault: one is no type of identifiers.

    >>> identifier_type("ID", [pa.int32(), pa.float64()]), identifier_type("ID", [pa.int32(), pa.string_view()])
    (DataType(int64), DataType(string))
    """
    found = [kind.value_type if _TYPES.is_dictionary(kind) else kind for kind in kinds]
    said = [kind for kind in found if not _TYPES.is_null(kind)]
    for kind in said:
        if not any(is_type(kind) for is_type in (*_TEXTS, *_CELLS[3:6])):
            raise InputFault(f"{header} {NO_IDENTIFIER}, but of the type {kind}; {REMEDY}")
    whole = [_TYPES.is_floating(kind) or (_TYPES.is_integer(kind) and kind != pa.uint64()) for kind in said]
    return pa.int64() if said and all(whole) else pa.string()


def identifiers(column: pa.ChunkedArray, kind: pa.DataType, header: str, before: int = 0) -> pa.ChunkedArray:
    """Identifiers as one of the two types of `identifier_type`; null where a row has none.

    Args:
        column: as a file has them.
        kind: int64 or string.
        header: of the column.
        before: rows of the input before the first of these.

    Raises:
        InputFault: a cell cannot be an identifier; the row is named.

    >>> identifiers(pa.chunked_array([[7.0, None]]), pa.string(), "ID").to_pylist()
    ['7', None]
    """
    if _TYPES.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _TYPES.is_floating(column.type):
        column = _whole(column, header, before)
    elif _TYPES.is_decimal(column.type):
        column = _by_cell(column, header, before)
    column = column.cast(kind)
    return without_blanks(column) if kind == pa.string() else column


def without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, null where there is none but blanks.

    >>> without_blanks(pa.chunked_array([[" ", " a"]])).to_pylist()
    [None, ' a']
    """
    blank = pc.equal(pc.utf8_trim(column, characters=BLANKS), "")
    return pc.if_else(blank, None, column) if pc.any(blank).as_py() else column


def without_words(table: pa.Table, patient_header: str | None) -> pa.Table:
    """The texts of a CSV file: null where they mean that nothing was measured, which no identifier does.

    >>> without_words(pa.table({"ID": ["NA"], "CRP": ["NA"]}), "ID").to_pylist()
    [{'ID': 'NA', 'CRP': None}]
    """
    words = pa.array(LIKE_NOTHING)
    for at, name in enumerate(table.column_names):
        column = table.column(at)
        if name == patient_header:
            table = table.set_column(at, name, without_blanks(column))
            continue
        nothing = pc.is_in(column, words)
        if pc.any(nothing).as_py():
            table = table.set_column(at, name, pc.if_else(nothing, None, column))
    return table


def day_headers(mapping: ColumnMapping) -> frozenset[str]:
    """The headers of the columns that hold days."""
    return frozenset(h for h in (mapping.header_of(DATE), mapping.header_of(ONSET)) if h is not None)


def days(column: pa.ChunkedArray, header: str, *, zone_unknown: bool = False, before: int = 0) -> pa.ChunkedArray:
    """Time stamps as days of the calendar that they were written by.

    Args:
        column: of time stamps.
        header: of the column.
        zone_unknown: whether the file does not say in which zone they were written.
        before: rows of the input before the first of these.

    Raises:
        InputFault: that day cannot be known.

    >>> from datetime import datetime
    >>> stamps = pa.chunked_array([pa.array([datetime(2025, 9, 1, 22, 30)], pa.timestamp("us", "Europe/Berlin"))])
    >>> days(stamps, "visit_date").to_pylist()
    [datetime.date(2025, 9, 2)]
    """
    naive = column.type.tz is None
    if zone_unknown:
        within = _within_a_day(column.cast(pa.int64()), 86_400 * _SECOND[column.type.unit])
        _require(pc.not_equal(within, 0), header, before, _always(ZONE_UNKNOWN), DAY_REMEDY)
        column, naive = column.cast(pa.timestamp(column.type.unit)), True
    try:
        local = column if naive else pc.local_timestamp(column)
    except pa.ArrowInvalid:
        raise InputFault(f"{header} {ZONE_MISSING} ({column.type.tz}); {DAY_REMEDY}") from None
    return local.cast(pa.date32())


def _within_a_day(instants: pa.ChunkedArray, day: int) -> pa.ChunkedArray:
    """What is left of instants when whole days are taken away."""
    return pc.subtract(instants, pc.multiply(pc.divide(instants, day), day))


def _whole(column: pa.ChunkedArray, header: str, before: int) -> pa.ChunkedArray:
    """Numbers of floating point as whole numbers."""
    kind = np.dtype(column.type.to_pandas_dtype())
    values = pc.if_else(pc.is_nan(column), None, column)
    limit = 2.0 ** (np.finfo(kind).nmant + 1)
    wrong = pc.or_(pc.not_equal(pc.floor(values), values), pc.greater_equal(pc.abs(values), limit))
    _require(wrong, header, before, lambda at: _rule(kind.type(values[at].as_py())), REMEDY)
    return values.cast(pa.int64())


def _by_cell(column: pa.ChunkedArray, header: str, before: int) -> pa.ChunkedArray:
    encoded = column.combine_chunks().dictionary_encode()
    texts: list[str | None] = []
    for place, cell in enumerate(encoded.dictionary.to_pylist()):
        try:
            texts.append(identifier(cell))
        except IdentifierError as error:
            wrong = pc.equal(encoded.indices, place)
            _require(pa.chunked_array([wrong]), header, before, _always(str(error)), REMEDY)
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])


def _always(rule: str) -> Callable[[int], str]:
    return lambda _: rule


def _rule(cell: object) -> str:
    try:
        identifier(cell)
    except IdentifierError as error:
        return str(error)
    raise ValueError("an identifier that was refused can be one")


def _require(wrong: pa.ChunkedArray, header: str, before: int, rule: Callable[[int], str], remedy: str) -> None:
    """Refuse a column with a cell that is wrong; the first of them is named by its row."""
    at = pc.index(wrong, True).as_py()
    if at >= 0:
        raise InputFault(f"row {before + at + 1}: {header} {rule(at)}; {remedy}")
