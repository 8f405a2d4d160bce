"""Features that know the outcome: computed from it, or measured after it. No honest marker comes so near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from training.examples import Examples

Floats = NDArray[np.float64]

STRONGEST = 0.85
"""Spearman correlation with the rate from which a feature is taken to know it (assumption). The strongest published
is that of NfL, R2 0.42, a correlation of 0.65 (n = 30, 10.3389/fneur.2020.579094)."""
FEWEST = 30
"""Patients who must have it: with so many, 0.85 is 2.5 standard errors above a true 0.65 (by Fisher's z)."""


def foretelling(examples: Examples) -> dict[str, float]:
    """Spearman correlation of each feature that is too near the rate, by column, largest first; none is the rule.

    One index visit a patient, the first that has the feature, so that many visits of few patients prove nothing.

    >>> from features.matrix import DesignMatrix
    >>> rng = np.random.default_rng(0)
    >>> rate = rng.gamma(3.0, 0.3, 60)
    >>> X = np.column_stack([np.exp(rate) + 0.1, rng.normal(size=60)])
    >>> ids = np.arange(60).astype(str)
    >>> foretelling(Examples(DesignMatrix(("nfl_pg_ml", "nlr")), X, rate, rate, ids, ids))
    {'nfl_pg_ml': 1.0}
    """
    found = {}
    for column, values in zip(examples.matrix.columns, examples.X.T, strict=True):
        there = np.flatnonzero(~np.isnan(values))
        rows = there[np.unique(examples.patient[there], return_index=True)[1]]
        if len(rows) >= FEWEST and len(np.unique(values[rows])) > 1 and len(np.unique(examples.y[rows])) > 1:
            correlation = float(spearmanr(values[rows], examples.y[rows]).statistic)
            if abs(correlation) >= STRONGEST:
                found[column] = correlation
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))
