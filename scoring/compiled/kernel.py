"""Loops over numbers, compiled by numba when they are first called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])

_OPTIONS = {
    "nogil": True,  # threads are the caller's
    "fastmath": False,  # the same operations in the same order as NumPy's, so the same bits
    "error_model": "numpy",  # 0 / 0 is NaN, as there
}


def kernel(function: Function) -> Function:
    """A compiled function. What was compiled is kept on disk, where there is a folder that it may write to.

    Kernels call kernels of their own file only, and get the constants of others as arguments: numba looks at that
    file alone to tell whether what it kept still holds.

    >>> @kernel
    ... def tripled(number):
    ...     return 3 * number
    >>> tripled(2)
    6
    """
    try:
        compiled = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder: neither beside the source nor in the user's home
        compiled = njit(**_OPTIONS)(function)
    return cast(Function, compiled)
