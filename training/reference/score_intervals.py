"""What the rows of simulated patients say of normal scores: every measurement is an interval of one.

A rounded number says that the score lies between those of half a unit less and more, "<" that it lies below one, a
category that it lies between two, and a missing value that it is any number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.table import COMPARATOR, PATIENT, SITE
from features.vocabulary import vocabulary
from training.reference.reference_constants import CD4, Constants, Variable
from training.reference.reference_people import DELAY

Floats = NDArray[np.float64]

BEFORE = "@before"
SHARE, COUNT = "treg_pct_cd4", "treg_count_per_ul"
_FALLING = ("fvc_pct", "svc_pct", "bmi_kg_m2")  # with the points lost, so that an earlier one is another quantity


@dataclass(frozen=True, slots=True, eq=False)
class ScoreIntervals:
    """Bounds of the normal scores as measured, shape (patients, names); infinite where nothing is known.

    A name is that of a variable, with ``@before`` for the visit before enrolment. The Treg count is the product of
    two others: its score is a weighted sum of theirs.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats

    def of(self, patients: NDArray[np.int64]) -> ScoreIntervals:
        """Those of some patients, without the names that none of them has."""
        low, high = self.low[patients], self.high[patients]
        kept = np.flatnonzero((np.isfinite(low) | np.isfinite(high)).any(axis=0))
        return ScoreIntervals(tuple(self.names[i] for i in kept), low[:, kept], high[:, kept])


def score_intervals(constants: Constants, enrolled: pd.DataFrame, before: pd.DataFrame | None) -> ScoreIntervals:
    """What is said by the visits of enrolment (a row a patient), and by one earlier visit of some of them."""
    fixed = [each for each in constants.variables.values() if each.marginals and each.assay_cv is None]
    markers = [each for each in constants.variables.values() if each.assay_cv is not None]
    found = {
        variable.name: _intervals(constants, variable, enrolled)
        for variable in (*fixed, *markers)
        if variable.name in enrolled and variable.name not in (SITE, DELAY)
    }
    found[COUNT] = _count_intervals(constants, enrolled)
    if before is not None and len(before):
        rows = before.set_index(PATIENT).reindex(enrolled[PATIENT]).reset_index()
        for column in ("sex", SITE):
            rows[column] = enrolled[column].to_numpy()
        for variable in markers:
            if variable.name in rows and variable.name not in _FALLING:
                found[variable.name + BEFORE] = _intervals(constants, variable, rows)
        found[COUNT + BEFORE] = _count_intervals(constants, rows)
    low, high = (np.column_stack([bounds[side] for bounds in found.values()]) for side in (0, 1))
    return ScoreIntervals(tuple(found), low, high)


def without(rows: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A copy of visits in which these columns were not measured; names that are no column are passed over.

    >>> without(pd.DataFrame({"crp_mg_l": [0.5], "crp_mg_l_comparator": ["<"]}), ["crp_mg_l"]).isna().all(axis=None)
    np.True_
    """
    rows = rows.copy()
    for column in rows.columns.intersection([each + end for each in columns for end in ("", COMPARATOR)]):
        rows[column] = None if rows[column].dtype == object else np.nan
    return rows


def _intervals(constants: Constants, variable: Variable, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    marginal = next(iter(variable.marginals.values()))
    if marginal.kind == "categorical":
        edges = marginal.edges()
        place = pd.Categorical(rows[variable.name], categories=list(marginal.values)).codes.astype(np.int64)
        return np.where(place < 0, -np.inf, edges[place]), np.where(place < 0, np.inf, edges[place + 1])
    low, high = _value_bounds(constants, variable, rows)
    return _scores(variable, low, rows), _scores(variable, high, rows)


def _value_bounds(constants: Constants, variable: Variable, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Between which numbers the value lay, in the units of a laboratory without a shift, before rounding."""
    values = rows[variable.name].to_numpy(dtype=np.float64)
    half = 0.5 * 10.0**-variable.decimals
    bottom, top = vocabulary().by_column[variable.name].plausible
    low, high = np.where(values <= bottom, -np.inf, values - half), np.where(values >= top, np.inf, values + half)
    if variable.limit is not None:
        below = (rows[variable.name + COMPARATOR] == "<").to_numpy()
        low, high = np.where(below, -np.inf, low), np.where(below, variable.limit - half, high)
        if variable.lacking:  # who says "<" has, all but surely, none of the substance
            values = np.where(below, np.nan, values)
    missing = np.isnan(values)
    shift = _shifts(constants, variable.name, rows)
    return np.where(missing, -np.inf, low) / shift, np.where(missing, np.inf, high) / shift


def _scores(variable: Variable, values: Floats, rows: pd.DataFrame) -> Floats:
    """Normal scores of values, infinite ones staying what they are."""
    found = np.full(len(values), np.nan)
    for sex, marginal in variable.marginals.items():
        these = np.ones(len(values), dtype=bool) if sex == "any" else (rows["sex"] == sex).to_numpy()
        inside = these & np.isfinite(values)
        found[these] = values[these]
        found[inside] = marginal.scores_at(values[inside])
    return found


def _count_intervals(constants: Constants, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Of the Treg count, where one of its factors is missing; with both it says nothing new."""
    count = rows[COUNT].to_numpy(dtype=np.float64)
    known = np.isfinite(count) & rows[[CD4, SHARE]].isna().any(axis=1).to_numpy()
    spread = np.sqrt(sum(weight**2 for weight in count_weights(constants).values()))
    factors = [next(iter(constants.variables[name].marginals.values())) for name in (CD4, SHARE)]
    shift = _shifts(constants, CD4, rows) * _shifts(constants, SHARE, rows)
    middle = np.log(factors[0].median * factors[1].median / 100.0 * shift)
    bounds = []
    for half, unknown in ((-0.5, -np.inf), (0.5, np.inf)):
        value = np.where(known, count + half, 1.0)
        logs = np.log(np.maximum(value, 1e-300))
        bounds.append(np.where(known, np.where(value > 0.0, (logs - middle) / spread, -np.inf), unknown))
    return bounds[0], bounds[1]


def count_weights(constants: Constants) -> dict[str, float]:
    """SD of the logarithm of each factor of the Treg count: how its score is summed from theirs."""
    return {name: next(iter(constants.variables[name].marginals.values())).log_sd for name in (CD4, SHARE)}


def _shifts(constants: Constants, name: str, rows: pd.DataFrame) -> Floats:
    if name not in constants.shifted:
        return np.ones(len(rows))
    return np.array([constants.shifts[site] for site in rows[SITE]])
