"""A column of cells, as the file has them, read all at once: numbers, codes of a category, days.

What is plain is read here, to the same bit as `features.table` and the parser read it cell by cell. A cell that is
not plain is *odd*: its patient goes through the parser, which says what is wrong with it, or that nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.identifier import identifier
from features.period import read_period
from features.repeated import Repeated
from features.table import CENSORED, absent, day_of, number
from features.units import to_canonical
from features.vocabulary import Quantity

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Column: TypeAlias = "pa.ChunkedArray | Sequence[object]"
"""Cells as Arrow has them, or a list that a mapping made."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NONE, _ODD = -1, -2  # no cell; a cell that is not plain


@dataclass(frozen=True, eq=False)
class Numbers:
    """n cells of a quantity, in its canonical unit; NaN where not measured, and where odd."""

    values: Floats  # (n,)
    beyond: Mask  # (n,) below or above the limit that the value is
    odd: Mask  # (n,)

    def take(self, order: Integers) -> Numbers:
        """Those at these positions."""
        return Numbers(self.values[order], self.beyond[order], self.odd[order])


@dataclass(frozen=True, eq=False)
class Codes:
    """n cells that are one of a few, or days: the place or the ordinal of each, negative where absent or odd."""

    places: Integers  # (n,)
    odd: Mask  # (n,)

    @property
    def there(self) -> Mask:
        """Which are neither absent nor odd."""
        return self.places >= 0


def read_numbers(column: Column, quantity: Quantity, unit: str, *, exact: bool = False) -> Numbers:
    """The numbers of a column.

    Args:
        column: its cells.
        quantity: what they measure.
        unit: what they are counted in, one of the quantity's.
        exact: whether a number below or above a limit (``<0.3``) is odd.

    >>> from features.vocabulary import vocabulary
    >>> found = read_numbers(["0.4", "<0.3", None, "much"], vocabulary().by_column["crp_mg_l"], "mg/dL")
    >>> found.values.tolist(), found.beyond.tolist(), found.odd.tolist()
    ([4.0, 3.0, nan, nan], [False, True, False, False], [False, False, False, True])
    """
    values, beyond, odd = _parsed(column)
    if unit != quantity.unit:
        values = _converted(values, quantity, unit)
    low, high = quantity.plausible
    with np.errstate(invalid="ignore"):
        odd |= (values < low) | (values > high)
        if quantity.integer:
            odd |= np.floor(values) < values
    if exact:
        odd |= beyond
    values[odd] = np.nan
    return Numbers(values, beyond & ~odd, odd)


@dataclass(frozen=True, eq=False)
class Periods:
    """n days, months or years: the ordinals of their first and last days, NaN where absent or odd."""

    first: Floats  # (n,)
    last: Floats  # (n,)
    odd: Mask  # (n,)

    @property
    def there(self) -> Mask:
        """Which are neither absent nor odd."""
        return ~np.isnan(self.first)


def read_codes(column: Column, values: Sequence[str]) -> Codes:
    """The places of a column's cells among the values.

    >>> read_codes(["male", None, "female", "f", 1], ("female", "male")).places.tolist()
    [1, -1, 0, -2, -2]
    """
    distinct, at = _distinct(column)
    known = {value: place for place, value in enumerate(values)}

    def read(cell: object) -> int:
        return _NONE if absent(cell) else known.get(cell, _ODD) if isinstance(cell, str) else _ODD

    places = np.array([*map(read, distinct), _NONE], np.int64)[at]
    return Codes(places, places == _ODD)


def read_days(column: Column) -> Codes:
    """The days of a column as proleptic ordinals.

    >>> read_days([date(2025, 9, 1), "2025-09-01 00:00:00", "1.9.2025", None]).places.tolist()
    [739495, 739495, -2, -1]
    """
    distinct, at = _distinct(column)
    places = np.array([*map(_day, distinct), _NONE], np.int64)[at]
    return Codes(places, places == _ODD)


def read_periods(column: Column) -> Periods:
    """The days, months and years of a column.

    >>> found = read_periods(["2025-09-01", "2025-09", 2025, "9/2025", None])
    >>> (found.last - found.first).tolist(), found.odd.tolist()
    ([0.0, 29.0, 364.0, nan, nan], [False, False, False, True, False])
    """
    distinct, at = _distinct(column)
    read = np.array([*map(_period, distinct), (np.nan, np.nan, 0.0)])[at]
    return Periods(read[:, 0], read[:, 1], read[:, 2] == 1.0)


def identities(column: Column | None, count: int) -> Integers:
    """Whose each of so many rows is, in numbers; a row that does not say is a patient of its own.

    >>> identities(["a", None, "b", "a", " "], 5).tolist()
    [0, 3, 1, 0, 6]
    """
    if column is None:
        return np.arange(count)
    distinct, at = _distinct(column)
    names: dict[str, int] = {}
    places = [_NONE if absent(cell) else names.setdefault(identifier(cell), len(names)) for cell in distinct]
    known = np.array([*places, _NONE])[at]
    return np.where(known >= 0, known, len(names) + np.arange(count))


def _day(cell: object) -> int:
    if absent(cell):
        return _NONE
    text = day_of(cell)
    try:
        return date.fromisoformat(text).toordinal() if _DAY.fullmatch(text) else _ODD
    except ValueError:
        return _ODD


def _period(cell: object) -> tuple[float, float, float]:
    """The first and the last day, and whether it is odd."""
    if absent(cell):
        return np.nan, np.nan, 0.0
    try:
        found = read_period(day_of(cell))
    except ValueError:
        return np.nan, np.nan, 1.0
    return float(found.first.toordinal()), float(found.last.toordinal()), 0.0


def _parsed(column: Column) -> tuple[Floats, Mask, Mask]:
    """Values, which of them are limits, and what is odd, in the unit of the column."""
    if isinstance(column, pa.ChunkedArray):
        try:
            return _by_arrow(column)
        except pa.ArrowInvalid:  # not all of them are plain numbers
            pass
    distinct, at = _distinct(column)
    read = np.array([*map(_number, distinct), (np.nan, 0.0, 0.0)])[at]
    return read[:, 0].copy(), read[:, 1] == 1.0, read[:, 2] == 1.0


def _by_arrow(column: pa.ChunkedArray) -> tuple[Floats, Mask, Mask]:
    kind = column.type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (texts or pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise pa.ArrowInvalid(f"{kind} is read cell by cell")
    values = np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(), np.float64)
    odd = np.isinf(values)
    if texts:
        odd |= np.isnan(values) & ~column.is_null().to_numpy()  # the text "nan" is no number
    return values, np.zeros(len(values), np.bool_), odd


def _number(cell: object) -> tuple[float, float, float]:
    """The value, whether it is a limit, whether it is odd."""
    if absent(cell):
        return np.nan, 0.0, 0.0
    limit = CENSORED.fullmatch(cell) if isinstance(cell, str) else None
    value = number(cell if limit is None else limit[2])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(float(value)):
        return np.nan, 0.0, 1.0
    return float(value), float(limit is not None), 0.0


def _converted(values: Floats, quantity: Quantity, unit: str) -> Floats:
    there = np.isfinite(values)
    distinct, at = np.unique(values[there], return_inverse=True)
    out = values.copy()
    out[there] = np.array([to_canonical(quantity, value, unit) for value in distinct.tolist()], np.float64)[at]
    return out


def _distinct(column: Column) -> tuple[list[object], Integers]:
    """The different cells, and the place of each cell among them, -1 for null."""
    if isinstance(column, pa.ChunkedArray):
        encoded = column.combine_chunks()
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_encode()
        places = encoded.indices.fill_null(_NONE).to_numpy(zero_copy_only=False)
        return encoded.dictionary.to_pylist(), places.astype(np.int64)
    if isinstance(column, Repeated):
        return [column.cell], np.zeros(len(column), np.int64)
    found: dict[tuple[type, object], int] = {}  # 1, 1.0 and True are equal, and not the same cell
    at = np.fromiter((found.setdefault((type(cell), cell), len(found)) for cell in column), np.int64, len(column))
    return [cell for _, cell in found], at
