"""Headers named to whoever runs the scoring, before it begins, so that a misspelt one does not cost an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from features.headers import Headers
from features.matrix import DesignMatrix
from scoring.fault import InputFault

Named = Callable[[Headers], None]


def unnamed(headers: Headers) -> None:
    """Nobody is told."""
    del headers


def headers_for(
    path: Path | str, headers: Headers | None, matrix: DesignMatrix, named: Named, *, strict: bool
) -> Headers | None:
    """The headers of an input, with what the model has no feature of, once they were named.

    Args:
        path: of the input.
        headers: None where it is of records.
        matrix: of the model.
        named: is told.
        strict: whether one that is not read, but is like a column, stops the run.

    Raises:
        InputFault: there is such a one.
    """
    if headers is None:
        return None
    found = headers.for_model(matrix.inputs)
    if strict and found.near:
        raise InputFault(f"{path}: {'; '.join(found.warnings)} (--strict)")
    named(found)
    return found
