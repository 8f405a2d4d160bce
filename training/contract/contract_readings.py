"""The numbers of a table's columns, as they stand there and in canonical units, whether refused or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.period import read_period
from features.table import DATE, ONSET, TIME, Row, absent, canonical, day_of, measurement, number
from features.units import DAYS_PER_MONTH, to_canonical
from features.vocabulary import Quantity, vocabulary

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """The numbers of one column; arrays of shape (numbers,).

    Attributes:
        quantity: what is measured.
        unit: the unit in which the file holds it.
        rows: position of each number's row.
        raw: the numbers as they stand in the file.
        values: the same in the canonical unit.
        limits: whether the number is a limit (``<0.3``), not a measured value.
    """

    quantity: Quantity
    unit: str
    rows: NDArray[np.int64]
    raw: Floats
    values: Floats
    limits: NDArray[np.bool_]

    @property
    def exact(self) -> Readings:
        """Those that are no limits."""
        return self.only(~self.limits)

    def only(self, which: NDArray[np.bool_]) -> Readings:
        """Some of them, by a mask of shape (numbers,)."""
        return Readings(
            self.quantity, self.unit, self.rows[which], self.raw[which], self.values[which], self.limits[which]
        )

    def factor(self, unit: str) -> float:
        """By what the canonical values would be multiplied if the file held ``unit``."""
        held, other = self.quantity.units[self.unit], self.quantity.units[unit]
        return (other.numerator / other.denominator) / (held.numerator / held.denominator)

    @property
    def other_units(self) -> tuple[str, ...]:
        """Units of the quantity in which the same numbers would mean something else; one of each factor."""
        factors: dict[float, str] = {}
        held = self.quantity.units[self.unit]
        for code, unit in self.quantity.units.items():
            factors.setdefault(unit.numerator / unit.denominator, code)
        factors.pop(held.numerator / held.denominator)
        return tuple(factors.values())


def readings(rows: Sequence[Row], units: Mapping[str, str]) -> dict[str, Readings]:
    """The numbers of every column that has any.

    Args:
        rows: cells by vocabulary column.
        units: the unit of a column where it is not the canonical one.

    >>> found = readings([{"crp_mg_l": "<0.3"}, {"crp_mg_l": 0.5}, {}], {"crp_mg_l": "mg/dL"})["crp_mg_l"]
    >>> found.rows.tolist(), found.values.tolist(), found.limits.tolist()
    ([0, 1], [3.0, 5.0], [True, False])
    """
    found = {}
    for column, quantity in vocabulary().by_column.items():
        unit = units.get(column, quantity.unit)
        numbers = [
            (at, *number_of)
            for at, row in enumerate(rows)
            if not absent(row.get(column)) and (number_of := _number(row, quantity, units)) is not None
        ]
        if numbers and unit in quantity.units:
            at, raw, limits = zip(*numbers, strict=True)
            found[column] = Readings(
                quantity,
                unit,
                np.array(at, dtype=np.int64),
                np.array(raw, dtype=np.float64),
                np.array([to_canonical(quantity, value, unit) for value in raw]),
                np.array(limits, dtype=np.bool_),
            )
    return found


def months_of(rows: Sequence[Row], units: Mapping[str, str]) -> Floats:
    """Months since onset of each row, shape (rows,), by its own word or by its dates; NaN where it does not say.

    >>> months_of([{"months_since_onset": "12"}, {"onset_date": "2024-01-01", "visit_date": "2024-12-31"}, {}], {})
    array([12.        , 11.99178645,         nan])
    """
    return np.array([_months(row, units) for row in rows], dtype=np.float64)


def _months(row: Row, units: Mapping[str, str]) -> float:
    months = canonical(TIME, number(row.get(TIME)), units)
    if months is not None:
        return months
    try:
        day, onset = date.fromisoformat(day_of(row.get(DATE))), read_period(day_of(row.get(ONSET)))
    except ValueError:
        return math.nan
    return (day.toordinal() - onset.until(day).middle) / DAYS_PER_MONTH


def _number(row: Row, quantity: Quantity, units: Mapping[str, str]) -> tuple[float, bool] | None:
    cell = row[quantity.column]
    measured = measurement(row, quantity, cell, units)
    value = measured["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value), "comparator" in measured
