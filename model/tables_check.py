"""Checking the arrays of contribution tables that come from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.booster_json import MAX_DEPTH

_DTYPES = {
    "n_features": np.int64,
    "grid": np.int64,
    "base": np.int64,
    "feature": np.int32,
    "threshold": np.float32,
    "default_left": np.bool_,
    "slot_feature": np.int32,
    "table": np.int32,
}
_MAX_FEATURES = 1 << 20
_MAX_GRID = 256
_MAX_ESTIMATE = 1 << 53  # beyond it a double no longer holds every integer


def checked_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of `model.tables.TreeTables.to_arrays`, if every name, dtype, shape and value is right.

    Raises:
        ValueError: naming the array and what is wrong with it.

    >>> checked_arrays({"grid": np.array(3)})
    Traceback (most recent call last):
    ...
    ValueError: arrays are ['grid']; expected ['base', 'default_left', 'feature', 'grid', 'n_features', ...]
    """
    if set(arrays) != set(_DTYPES):
        raise ValueError(f"arrays are {sorted(arrays)}; expected {sorted(_DTYPES)}")
    checked = {name: np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape) for name in _DTYPES}
    for name, dtype in _DTYPES.items():
        if checked[name].dtype != dtype:
            raise ValueError(f"{name} is {checked[name].dtype}; expected {np.dtype(dtype)}")
    _check_shapes(checked)
    _check_values(checked)
    return checked


def _check_shapes(arrays: Mapping[str, NDArray[Any]]) -> None:
    shape = arrays["feature"].shape
    if len(shape) != 2 or not 1 <= shape[1] <= MAX_DEPTH:
        raise ValueError(f"feature has shape {shape}; expected (G, D) with D from 1 to {MAX_DEPTH}")
    expected: dict[str, tuple[int, ...]] = {"n_features": (), "grid": (), "base": ()}
    expected |= dict.fromkeys(("threshold", "default_left", "slot_feature"), shape)
    expected |= {"table": (shape[0], 2 ** shape[1], shape[1])}
    for name, wanted in expected.items():
        if arrays[name].shape != wanted:
            raise ValueError(f"{name} has shape {arrays[name].shape}; expected {wanted}")


def _check_values(arrays: Mapping[str, NDArray[Any]]) -> None:
    n_features = int(arrays["n_features"])
    _require_range("n_features", arrays["n_features"], 1, _MAX_FEATURES)
    _require_range("grid", arrays["grid"], -_MAX_GRID, _MAX_GRID)
    _require_range("feature", arrays["feature"], 0, n_features - 1)
    _require_range("slot_feature", arrays["slot_feature"], -1, n_features - 1)
    _check_thresholds(arrays["threshold"], arrays["default_left"])
    _check_slots(arrays["feature"], arrays["slot_feature"], arrays["table"])
    largest_sums = np.abs(arrays["table"].sum(axis=2, dtype=np.int64)).max(axis=1, initial=0)
    if abs(int(arrays["base"])) + int(largest_sums.sum()) >= _MAX_ESTIMATE:
        raise ValueError(f"base and table add up to {_MAX_ESTIMATE} units or more; a double could not hold them")


def _require_range(name: str, array: NDArray[Any], low: int, high: int) -> None:
    outside = array[(array < low) | (array > high)]
    if outside.size:
        raise ValueError(f"{name} has the value {outside.flat[0]}; expected {low} to {high}")


def _check_thresholds(threshold: NDArray[np.float32], default_left: NDArray[np.bool_]) -> None:
    """Finite, or minus infinity for a condition that never holds."""
    never = np.isneginf(threshold) & ~default_left
    bad = threshold[~np.isfinite(threshold) & ~never]
    if bad.size:
        raise ValueError(f"threshold has the value {bad.flat[0]}; expected finite, or -inf for a padded condition")


def _check_slots(feature: NDArray[np.int32], slot_feature: NDArray[np.int32], table: NDArray[np.int32]) -> None:
    """Slots first, then empty ones; each of a feature of the group, none twice; nothing added to an empty one."""
    empty = slot_feature < 0
    if (empty[:, :-1] & ~empty[:, 1:]).any() or empty[:, 0].any():
        raise ValueError("slot_feature has an empty slot (-1) before one in use")
    if (~empty & ~(slot_feature[:, :, None] == feature[:, None, :]).any(axis=2)).any():
        raise ValueError("slot_feature names a feature that no condition of its group reads")
    ordered = np.sort(slot_feature, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("slot_feature names a feature twice in one group")
    if table[np.broadcast_to(empty[:, None, :], table.shape)].any():
        raise ValueError("table has a value in an empty slot (-1 in slot_feature)")
