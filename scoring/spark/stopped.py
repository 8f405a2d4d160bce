"""A run on a cluster that stops: a text to act on, brought from a task to the driver, and no patient value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from features.mapping import MappingError
from model.pack import Refused
from scoring.fault import ScoringFault

_TOLD = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
# Spark's own errors that name files and columns, and no values.
_TELLING = re.compile(
    r"\[((?:FAILED_READ_FILE|PATH_NOT_FOUND|CANNOT_MERGE_SCHEMAS|UNABLE_TO_INFER_SCHEMA)[A-Z_.]*)\] ([^\n]*)"
)


class Stopped(ScoringFault):
    """Why a run on Spark gives no result; the text holds no value of a patient."""


def telling(rows: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What a task gives; what it raises is told without the values that a library puts into its texts.

    Spark writes a task's error with its traceback into the logs of executor and driver, so nothing is chained.

    >>> next(telling(lambda: iter([1])))
    1
    >>> list(telling(lambda: (float(word) for word in ["a name"])))
    Traceback (most recent call last):
    scoring.spark.stopped.Stopped: [[a scoring task failed with ValueError in <genexpr> of ...]]
    """
    try:
        yield from rows()
    except (ScoringFault, Refused, MappingError) as error:
        raise Stopped(_marked(error)) from None
    except Exception as error:
        raise Stopped(_marked(f"a scoring task failed with {type(error).__name__} in {_place(error)}")) from None


def told_by_task(error: Exception) -> str:
    """What a task said when it failed; of an error of Spark's own its condition and, if there is one, the file.

    >>> told_by_task(RuntimeError("Traceback ... Stopped: [[tables.npz: 7 bytes, the manifest says 8]]"))
    'tables.npz: 7 bytes, the manifest says 8'
    >>> told_by_task(RuntimeError("Lost executor"))
    'Spark ended the job (RuntimeError); look into its logs'
    """
    found = _TOLD.search(str(error))
    if found is not None:
        return found[1]
    condition = getattr(error, "getCondition", lambda: None)() or type(error).__name__
    telling = _TELLING.search(str(error))
    if telling is not None:
        return f"Spark: {telling[2]} ({telling[1]})"
    return f"Spark ended the job ({condition}); look into its logs"


def _marked(told: object) -> str:
    """Found again by `told_by_task` in a text of Spark's that holds the traceback too."""
    return f"[[{told}]]"


def _place(error: Exception) -> str:
    """The function and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    code = trace.tb_frame.f_code
    return f"{code.co_name} of {code.co_filename}, line {trace.tb_lineno}"
