"""What was understood of each column: its unit, the range seen, how much of it is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from features.table import COMPARATOR, absent
from features.vocabulary import vocabulary
from training.contract.contract_finding import Material
from training.contract.outcome_coverage import Spread, spread
from training.contract.typical_range import typical_range

BARS = 20


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers of values in bars of equal width between two canonical values."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column as it was read.

    Attributes:
        column, label, level: as in the vocabulary; ``level`` is "visit", "patient" or "" (identifiers, time).
        headers: of the file, from which the column is read.
        unit: in which the file holds it; ``range`` and ``histogram`` are in ``canonical_unit``.
        visits_missing, patients_missing: shares without a value.
        limits: how many of the values are limits such as ``<0.3``.
        typical: where a median is expected, canonical unit, with its source.
        values: of a category or a qualifier, each with its number of visits.
    """

    column: str
    label: str
    level: str
    headers: tuple[str, ...]
    unit: str | None
    canonical_unit: str | None
    visits: int
    patients: int
    visits_missing: float
    patients_missing: float
    limits: int
    range: Spread | None
    typical: tuple[float, float, str] | None
    values: tuple[tuple[str, int], ...]
    histogram: Histogram | None


def column_summaries(material: Material) -> tuple[ColumnSummary, ...]:
    """Every column that was read, in the order of the table."""
    columns = [column for column in material.table.columns if not column.endswith(COMPARATOR)]
    return tuple(_summary(column, material) for column in columns)


def _summary(column: str, material: Material) -> ColumnSummary:
    words, rows = vocabulary(), material.table.rows
    quantity, category = words.by_column.get(column), words.categories.get(column)
    text = category or words.qualifiers.get(column)
    held = [at for at, row in enumerate(rows) if not absent(row.get(column))]
    patients = len({material.owners[at] for at in held})
    found = material.readings.get(column)
    typical = None if quantity is None else typical_range(column)
    known = quantity or text
    return ColumnSummary(
        column=column,
        label="" if known is None else known.label,
        level="" if quantity is None else quantity.level,
        headers=_headers(column, material),
        unit=None if quantity is None else material.table.mapping.units.get(column, quantity.unit),
        canonical_unit=None if quantity is None else quantity.unit,
        visits=len(held),
        patients=patients,
        visits_missing=1.0 - len(held) / len(rows),
        patients_missing=1.0 - patients / len(material.patients),
        limits=0 if found is None else int(found.limits.sum()),
        range=None if found is None else spread(found.values.tolist()),
        typical=None if typical is None else (typical.low, typical.high, typical.source),
        values=() if text is None else tuple(Counter(str(rows[at][column]) for at in held).most_common()),
        histogram=None if found is None else _histogram(found.values.tolist()),
    )


def _headers(column: str, material: Material) -> tuple[str, ...]:
    mapping = material.table.mapping
    if column in mapping.constants:
        return ()
    return mapping.sources[column].headers if column in mapping.sources else (column,)


def _histogram(values: list[float]) -> Histogram:
    """Between the first and the last percentile, so that one wild value does not hide the rest."""
    low, high = (float(value) for value in np.quantile(values, (0.01, 0.99)))
    if low == high:
        return Histogram(low, high, (len(values),))
    counts, _ = np.histogram(values, BARS, (low, high))
    return Histogram(low, high, tuple(int(count) for count in counts))
