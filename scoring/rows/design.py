"""Design rows of many visits at once, to the bit of `features.derive`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.derive import AGE_DECIMALS, SCALE_MAXIMUM
from features.feature import Feature
from features.matrix import DesignMatrix
from features.vocabulary import vocabulary
from scoring.rows.slopes import Trend, trend
from scoring.rows.visits import Visits

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NEAR_A_TIE = 1e-3  # of the last decimal kept: there `round` decides, which knows the exact value


@dataclass(frozen=True, eq=False)
class Reading:
    """The last reading of a quantity at each of n visits."""

    value: Floats  # (n,) NaN where there is none yet
    month: Floats  # (n,) when it was taken, since onset
    beyond: Mask  # (n,) whether it is a limit


def last_readings(visits: Visits) -> dict[str, Reading]:
    """By quantity."""
    found = {}
    for name, numbers in visits.measured.items():
        if visits.patients.alone:
            month = np.where(np.isnan(numbers.values), np.nan, visits.month)
            found[name] = Reading(numbers.values, month, numbers.beyond)
        else:
            at = visits.patients.latest(~np.isnan(numbers.values))
            none = at < 0
            value, month = np.where(none, np.nan, numbers.values[at]), np.where(none, np.nan, visits.month[at])
            found[name] = Reading(value, month, numbers.beyond[at] & ~none)
    return found


def trends_of(visits: Visits, matrix: DesignMatrix) -> dict[str, Trend]:
    """By quantity, of those whose change per month is a column and has a history at all."""
    if visits.patients.alone:
        return {}
    found = {}
    for at in matrix.history:
        name = matrix.features[at].quantity or ""
        numbers = visits.measured.get(name)
        if numbers is not None:
            maximum = SCALE_MAXIMUM.get(name)
            found[name] = trend(numbers.values, numbers.beyond, visits.month, visits.patients.starts, maximum)
    return found


def design_rows(
    visits: Visits, readings: Mapping[str, Reading], trends: Mapping[str, Trend], matrix: DesignMatrix
) -> Floats:
    """The design rows (n, p) of visits; NaN where a column was not measured."""
    out = np.empty((len(visits.month), len(matrix.columns)))
    for at, column in enumerate(_columns(visits, readings, trends, matrix)):
        out[:, at] = column
    return out


def _columns(
    visits: Visits, readings: Mapping[str, Reading], trends: Mapping[str, Trend], matrix: DesignMatrix
) -> Iterator[Floats | float]:
    patient = {
        "months_since_onset": visits.month,
        "age_years": _rounded(visits.age),
        "diagnostic_delay_months": np.where(
            visits.delay > visits.month + visits.onset_margin, np.nan, visits.delay
        ),
    }
    for feature in matrix.features:
        if feature.column in patient:
            yield patient[feature.column]
        elif feature.kind == "category":
            yield _category(visits, feature)
        elif feature.kind == "derived":
            yield _delta_fs(readings, matrix)
        elif feature.kind == "change":
            known = trends.get(feature.quantity or "")
            yield np.nan if known is None else known.change
        else:
            yield _of_quantity(visits, readings, feature)


def _category(visits: Visits, feature: Feature) -> Floats | float:
    for name, category in vocabulary().categories.items():
        if feature.column in category.columns:
            places = visits.categories.get(name)
            if places is None:
                return np.nan
            one = category.values.index(category.columns[feature.column])
            return np.where(places < 0, np.nan, np.where(places == one, 1.0, 0.0))
    raise ValueError(f"{feature.column} is a column of no category")


def _delta_fs(readings: Mapping[str, Reading], matrix: DesignMatrix) -> Floats | float:
    last = readings.get(matrix.scale)
    if last is None:
        return np.nan
    lost = SCALE_MAXIMUM[matrix.scale] - last.value
    return np.divide(lost, last.month, out=np.full_like(lost, np.nan), where=last.month > 0)


def _of_quantity(visits: Visits, readings: Mapping[str, Reading], feature: Feature) -> Floats | float:
    last = readings.get(feature.quantity or "")
    if last is None:
        return np.nan
    return last.value if feature.kind == "last" else np.asarray(visits.month - last.month)


def _rounded(years: Floats) -> Floats:
    """As ``round(years, AGE_DECIMALS)``, which is right in the last bit."""
    scaled = years * 10.0**AGE_DECIMALS
    out = np.rint(scaled) / 10.0**AGE_DECIMALS
    near = np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_A_TIE)
    out[near] = [round(value, AGE_DECIMALS) for value in years[near].tolist()]
    return out
