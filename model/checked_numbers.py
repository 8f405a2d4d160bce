"""Numbers from a file that nobody trusts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def finite(value: object) -> NDArray[np.float64]:
    """Nested lists of numbers as an array.

    Raises:
        ValueError: one is not finite, or is no number.

    >>> finite([1, 2.5]).tolist()
    [1.0, 2.5]
    """
    array: NDArray[np.float64] = np.array(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("a number that is not finite")
    return array


def number(value: object) -> float:
    """One finite number; neither text nor a truth value is one.

    Raises:
        TypeError, ValueError: it is not.

    >>> number(3)
    3.0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return float(value)
