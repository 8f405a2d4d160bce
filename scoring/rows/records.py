"""Records, as the service takes them, as columns of numbers: the visits of many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.derive import MeasuredAs, comparable
from features.record import PatientRecord
from features.vocabulary import vocabulary
from scoring.rows.cells import Numbers
from scoring.rows.patients import Patients
from scoring.rows.visits import RILUZOLE, Visits, complete

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def visits_of(records: Sequence[PatientRecord], measured_as: MeasuredAs) -> Visits:
    """The visits of records, one patient after the other; the last of each is its index visit.

    >>> from features.record import Measurement, Visit
    >>> known = PatientRecord((Visit(9.0, {"crp": Measurement(4.0)}), Visit(12.0, {})))
    >>> found = visits_of([known, PatientRecord((Visit(3.0, {}),))], {})
    >>> found.month.tolist(), found.measured["crp"].values.tolist(), found.patients.starts.tolist()
    ([9.0, 12.0, 3.0], [4.0, nan, nan], [0, 2])
    """
    sizes = np.array([len(record.visits) for record in records], np.int64)
    count = int(sizes.sum())
    order, starts = np.arange(count), np.cumsum(sizes) - sizes
    patients = Patients(order, starts, alone=bool((sizes == 1).all()))
    measured, unused = _measured(records, count, measured_as)
    sent = {name: ~np.isnan(found.values) for name, found in measured.items()}
    complete(measured, count, measured_as)
    return Visits(
        patients,
        np.array([visit.month for record in records for visit in record.visits]),
        np.repeat(_numbers([record.age_years for record in records]), sizes),
        np.repeat(_numbers([record.diagnostic_delay_months for record in records]), sizes),
        _categories(records, patients, sizes),
        measured,
        sent,
        unused,
        np.zeros(count, np.bool_),
        onset_margin=np.repeat(_numbers([record.onset_margin_months for record in records]), sizes),
        age_margin=np.repeat(_numbers([record.age_margin_years for record in records]), sizes),
    )


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _measured(
    records: Sequence[PatientRecord], count: int, measured_as: MeasuredAs
) -> tuple[dict[str, Numbers], dict[str, Mask]]:
    """By quantity, all comparable values that any visit has; and which visits have one that is not."""
    found: dict[str, Numbers] = {}
    unused: dict[str, Mask] = {}
    quantities = vocabulary().quantities
    row = 0
    for record in records:
        for visit in record.visits:
            for name, item in visit.measurements.items():
                if item.qualifiers and not comparable(quantities[name], item, measured_as):
                    unused.setdefault(name, np.zeros(count, np.bool_))[row] = True
                    continue
                numbers = found.get(name)
                if numbers is None:
                    never = np.zeros(count, np.bool_)
                    numbers = found[name] = Numbers(np.full(count, np.nan), never, never)
                numbers.values[row] = item.value
                if item.comparator is not None:
                    numbers.beyond[row] = True
            row += 1
    return found, unused


def _categories(
    records: Sequence[PatientRecord], patients: Patients, sizes: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    found = {}
    for name, category in vocabulary().categories.items():
        places: dict[str | None, int] = {value: place for place, value in enumerate(category.values)}
        if name == RILUZOLE:
            said = np.array([places.get(v.riluzole, -1) for record in records for v in record.visits], np.int64)
            latest = patients.latest(said >= 0)
            found[name] = np.where(latest >= 0, said[latest], -1)
        else:
            own = [places.get(record.categories.get(name), -1) for record in records]
            found[name] = np.repeat(np.array(own, np.int64), sizes)
    return found
