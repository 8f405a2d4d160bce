"""Why nothing can be recorded now: a code for logs and metrics, words for who runs the service."""

from __future__ import annotations

from dataclasses import dataclass

from service.audit.chain import Head
from service.audit.store import Discontinuity, StoreFailed

_RULES = {
    "NOT_YET_OPENED": "has not been opened yet",
    "NO_ANCHOR": "has an anchor that is none",
    "NO_STORE": "is no audit store",
    "STORE_GONE": "was deleted or replaced while it was written",
    "OTHERS_MAY_WRITE": "may be written by other users",
    "FileNotFoundError": "is missing, or its folder is",
    "PermissionError": "may not be opened by the user of the service",
    "SQLITE_NOTADB": "is no database",
    "SQLITE_CORRUPT": "is a damaged database",
    "SQLITE_FULL": "has no space left on its disk",
    "SQLITE_READONLY": "may not be written",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_BUSY": "is locked by another program",
    "OperationalError": "cannot be reached",
}
_REMEDY = "docs/audit.md, When the store fails, says what to do"


@dataclass(frozen=True, slots=True)
class TrailProblem:
    """One problem. ``known`` and ``found`` are there where records that were written are gone.

    >>> TrailProblem("SQLITE_NOTADB").rule
    'the audit store is no database'
    >>> TrailProblem("57P03").rule
    'the audit store failed with 57P03'
    """

    code: str
    known: Head | None = None
    found: Head | None = None
    rule: str = ""
    remedy: str = _REMEDY

    def __post_init__(self) -> None:
        if not self.rule:
            said = _RULES.get(self.code, f"failed with {self.code}")
            object.__setattr__(self, "rule", f"the audit store {said}")


NOT_YET_OPENED = TrailProblem("NOT_YET_OPENED")


def problem_of(error: StoreFailed) -> TrailProblem:
    """The problem that a failure is; paths and passwords are not in it."""
    if isinstance(error, Discontinuity):
        return TrailProblem(error.code, error.known, error.found, error.rule(), error.remedy())
    return TrailProblem(error.code)
