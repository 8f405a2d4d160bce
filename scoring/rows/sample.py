"""A sample of the rows of each chunk, answered once more the single way: a difference of one bit ends the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.rows.forecasts import Forecasts
from scoring.rows.understood import Understood

Mask = NDArray[np.bool_]

ONE_IN = 1000  # rows, by their number; and the first row of each chunk


class Disagreement(ArithmeticError):
    """Rows answered many at a time differ from the same rows answered one by one: a fault of ours."""


def sampled(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the rows to compare, by the numbers of the rows (n,).

    >>> sampled(np.array([999, 1000, 1001])).tolist()
    [0, 1]
    """
    chosen = rows % ONE_IN == 0
    chosen[:1] = True
    return np.flatnonzero(chosen)


def require_same(at: NDArray[np.int64], rows: NDArray[np.int64], many: Understood, single: Understood) -> None:
    """Hold what was understood many rows at a time to what the parser and the rules of one record say.

    Args:
        at: positions of the rows to compare.
        rows: (n,) the numbers of all rows, for the error.
        many: of all rows.
        single: of all rows, filled at these positions.

    Raises:
        Disagreement: naming the row and what differs; never a value.
    """
    differ: dict[str, Mask] = {
        "the month of the visit": ~_same(many.month[at], single.month[at]),
        "the design row": np.asarray(~_same(many.design[at], single.design[at]).all(axis=1)),
        "whether it is answered": np.asarray(many.abstained[at] != single.abstained[at]),
        "reasons": np.asarray(many.codes[at] != single.codes[at]),
        "problems": np.array([many.problems[p] != single.problems[p] for p in at.tolist()], np.bool_),
    }
    _require(differ, rows[at])


def require_same_numbers(
    at: NDArray[np.int64], rows: NDArray[np.int64], many: Forecasts, single: Forecasts
) -> None:
    """The same of the numbers: ``single`` holds those of the rows at these positions alone.

    Raises:
        Disagreement: see `require_same`.
    """
    differ: dict[str, Mask] = {"the numbers": np.asarray(~_same(many.answers[at], single.answers).all(axis=1))}
    if many.shares is not None and single.shares is not None:
        differ["contributions"] = np.asarray(~_same(many.shares[at], single.shares).all(axis=1))
    _require(differ, rows[at])


def _same(first: NDArray[np.float64], second: NDArray[np.float64]) -> Mask:
    return np.asarray((first == second) | (np.isnan(first) & np.isnan(second)))


def _require(differ: dict[str, Mask], rows: NDArray[np.int64]) -> None:
    for what, where in differ.items():
        if where.any():
            raise Disagreement(
                f"row {rows[where][0]}: {what} came out differently for many rows at a time and for this one "
                "alone. Nothing of this run is put in place; this is a fault of Tregcast: please report it"
            )
