"""What arrays must be to make a copula: nothing that is read from a file is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

MOST_UNITS = 2.0**46
_KINDS = {
    "n_features": (np.int64, 0),
    "grid": (np.int64, 0),
    "positions": (np.int64, 1),
    "directions": (np.int64, 1),
    "input_values": (np.float64, 2),
    "input_scores": (np.float64, 2),
    "outcome_values": (np.float64, 1),
    "outcome_scores": (np.float64, 1),
    "covariance": (np.float64, 2),
    "with_outcome": (np.float64, 1),
}


def checked_arrays(arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of `Copula.to_arrays`.

    Raises:
        ValueError: naming the array and what is wrong with it.
    """
    if set(arrays) != set(_KINDS):
        raise ValueError(f"a copula has the arrays {sorted(_KINDS)}; found {sorted(arrays)}")
    for name, (kind, dimensions) in _KINDS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != dimensions:
            raise ValueError(f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}")
        if name != "input_values" and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has a number that is not finite")
    _check_inputs(arrays)
    _check_outcome(arrays)
    return dict(arrays)


def _check_inputs(a: Mapping[str, NDArray[Any]]) -> None:
    positions, count = a["positions"], len(a["positions"])
    if count == 0 or positions[0] < 0 or positions[-1] >= a["n_features"] or np.any(np.diff(positions) <= 0):
        raise ValueError("positions are not increasing positions in a row")
    shapes = {name: a[name].shape[:1] for name in ("directions", "input_values", "with_outcome")}
    if any(shape != (count,) for shape in shapes.values()):
        raise ValueError(f"{count} positions, but {shapes}")
    if a["input_scores"].shape != a["input_values"].shape:
        raise ValueError("input_scores and input_values have different shapes")
    if not np.isin(a["directions"], (-1, 0, 1)).all():
        raise ValueError("directions are not -1, 0 or 1")
    values, scores = a["input_values"], a["input_scores"]
    real = np.isfinite(values)
    if np.any(real[:, 1:] > real[:, :-1]) or np.any(real.sum(axis=1) < 2) or np.any(values[~real] != np.inf):
        raise ValueError("input_values are not at least two knots followed by +inf")
    between = real[:, 1:]
    with np.errstate(invalid="ignore"):
        if np.any(np.diff(values)[between] <= 0) or np.any(np.diff(scores)[between] <= 0):
            raise ValueError("input_values or input_scores do not increase")
    covariance = a["covariance"]
    if covariance.shape != (count, count) or not np.array_equal(covariance, covariance.T):
        raise ValueError(f"covariance is not a symmetric matrix of {count} inputs")
    np.linalg.cholesky(covariance)  # an error if it is not positive definite


def _check_outcome(a: Mapping[str, NDArray[Any]]) -> None:
    values, scores = a["outcome_values"], a["outcome_scores"]
    if len(values) < 2 or len(values) != len(scores) or np.any(np.diff([values, scores]) <= 0):
        raise ValueError("outcome_values or outcome_scores are not two or more increasing knots")
    if not -1000 <= int(a["grid"]) <= 1000 or np.abs(values).max() * 2.0 ** int(a["grid"]) > MOST_UNITS:
        raise ValueError("grid does not fit outcome_values")
