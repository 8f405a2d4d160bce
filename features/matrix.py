"""The design matrix: which columns, in which order, and what differs when columns don't match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.consistency import COMPLETED_FROM
from features.derive import SCALE_MAXIMUM, MeasuredAs, Scale, derive
from features.feature import Feature, catalogue
from features.record import PatientRecord
from features.vocabulary import Qualifiers, Quantity, vocabulary


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """How a list of columns differs from the one a design matrix has."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    moved: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.moved)

    def __str__(self) -> str:
        parts = []
        for word, columns in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("moved", self.moved),
        ):
            if columns:
                parts.append(f"{word}: {', '.join(columns)}")
        return "; ".join(parts) or "no difference"


@dataclass(frozen=True)
class DesignMatrix:
    """The columns of a model in their order, and the scale its outcome is counted on.

    ``qualified`` holds, for each quantity whose values mean nothing without how they were measured, how those of
    the training cohort were: only values that were measured so fill its columns.

    Raises:
        ValueError: a column is not in the catalogue, or stands twice; a column is of a quantity that has
            qualifiers, and ``qualified`` does not say them.
    """

    columns: tuple[str, ...]
    scale: Scale = "alsfrs_r_total"
    qualified: tuple[tuple[str, Qualifiers], ...] = ()

    def __post_init__(self) -> None:
        known = catalogue()
        unknown = [column for column in self.columns if column not in known]
        twice = sorted({column for column in self.columns if self.columns.count(column) > 1})
        if unknown or twice:
            raise ValueError(f"design matrix: unknown columns {unknown}, columns that stand twice {twice}")
        if self.scale not in SCALE_MAXIMUM:
            raise ValueError(f"design matrix: scale {self.scale!r} is not one of {sorted(SCALE_MAXIMUM)}")

        _require_qualified(self.quantities, self.measured_as)

    @cached_property
    def measured_as(self) -> MeasuredAs:
        """How the values that the columns hold were measured, by quantity that has qualifiers."""
        return dict(self.qualified)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """What each column is."""
        return tuple(catalogue()[column] for column in self.columns)

    @cached_property
    def alphabetical(self) -> NDArray[np.intp]:
        """The place of each column in the order of their names, (p,).

        >>> DesignMatrix(("nlr", "crp_mg_l", "delta_fs")).alphabetical.tolist()
        [2, 0, 1]
        """
        return np.argsort(np.argsort(self.columns))

    @cached_property
    def quantities(self) -> Mapping[str, Quantity]:
        """The quantities that the columns are made of, by name, in the order of the vocabulary.

        >>> list(DesignMatrix(("nlr", "crp_mg_l", "crp_mg_l_change_per_month", "delta_fs")).quantities)
        ['nlr', 'crp']
        """
        names = {feature.quantity for feature in self.features}
        return {name: quantity for name, quantity in vocabulary().quantities.items() if name in names}

    @property
    def inputs(self) -> frozenset[str]:
        """Columns of a table that a feature may be made of: quantities, their parts, the score, categories.

        >>> inputs = DesignMatrix(("nlr", "riluzole_yes")).inputs
        >>> {"nlr", "neutrophils_10e9_l", "riluzole", "alsfrs_r_total"} <= inputs, "crp_mg_l" in inputs
        (True, False)
        """
        words = vocabulary()
        names = {self.scale, *self.quantities}
        names |= {part for name in names for part in COMPLETED_FROM.get(name, ())}
        kinds = {kind.name for kind in words.categories.values() if set(kind.columns) & set(self.columns)}
        return frozenset({words.quantities[name].column for name in names} | kinds)

    @property
    def directions(self) -> tuple[int, ...]:
        """The sign biology gives each column: +1 faster, -1 slower, 0 unsaid."""
        return tuple(feature.direction for feature in self.features)

    @property
    def history(self) -> tuple[int, ...]:
        """Positions of the columns that only an earlier visit can fill."""
        return tuple(at for at, feature in enumerate(self.features) if feature.kind == "change")

    @property
    def details(self) -> tuple[int, ...]:
        """Positions of the columns made of the items of a functional score whose total is a column too.

        >>> DesignMatrix(("alsfrs_r_total", "alsfrs_speech", "nlr")).details
        (1,)
        """
        items = {item for total in SCALE_MAXIMUM if total in self.columns for item in COMPLETED_FROM[total]}
        return tuple(at for at, feature in enumerate(self.features) if feature.quantity in items)

    def row(self, record: PatientRecord) -> NDArray[np.float64]:
        """The design row (p,) of a record at its index visit; NaN where a column was not measured.

        >>> from features.record import Measurement, Visit
        >>> record = PatientRecord((Visit(10.0, {"crp": Measurement(4.0)}),))
        >>> DesignMatrix(("months_since_onset", "crp_mg_l", "nlr")).row(record)
        array([10.,  4., nan])
        """
        return self.order(derive(record, self.scale, self.measured_as))

    def order(self, derived: Mapping[str, float]) -> NDArray[np.float64]:
        """Derived features, by column, as a design row (p,)."""
        return np.array([derived.get(column, np.nan) for column in self.columns], dtype=np.float64)

    def rows(self, records: Iterable[PatientRecord]) -> NDArray[np.float64]:
        """The design rows (n, p) of records."""
        rows = [self.row(record) for record in records]
        return np.vstack(rows) if rows else np.empty((0, len(self.columns)))

    def difference(self, columns: Sequence[str]) -> ColumnDiff:
        """What differs between ``columns`` and the columns of this matrix; one that stands again is unexpected.

        >>> print(DesignMatrix(("crp_mg_l", "nlr")).difference(["nlr", "sex"]))
        missing: crp_mg_l; unexpected: sex
        >>> print(DesignMatrix(("crp_mg_l", "nlr")).difference(["nlr", "crp_mg_l"]))
        moved: crp_mg_l, nlr
        """
        own = set(self.columns)
        missing = tuple(column for column in self.columns if column not in columns)
        unexpected = tuple(c for at, c in enumerate(columns) if c not in own or c in columns[:at])
        moved: tuple[str, ...] = ()
        if not missing and not unexpected:
            moved = tuple(a for a, b in zip(self.columns, columns, strict=True) if a != b)
        return ColumnDiff(missing, unexpected, moved)


def _require_qualified(quantities: Mapping[str, Quantity], measured_as: MeasuredAs) -> None:
    missing = [name for name, quantity in quantities.items() if quantity.qualifiers and name not in measured_as]
    if missing:
        raise ValueError(f"design matrix: how {', '.join(missing)} of the training cohort was measured is not said")
    for name, said in measured_as.items():
        quantity = vocabulary().quantities.get(name)
        known = () if quantity is None else quantity.qualifiers
        if not known or [each.name for each in known] != [qualifier for qualifier, _ in said]:
            raise ValueError(f"design matrix: {name} is not qualified by {', '.join(q for q, _ in said)}")
        wrong = [value for each, (_, value) in zip(known, said, strict=True) if value not in each.values]
        if wrong:
            raise ValueError(f"design matrix: {', '.join(wrong)} is no value of how {name} was measured")
