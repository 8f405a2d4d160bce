"""Why a run cannot begin or go on: what the user can mend, in one or two sentences and without a value."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ScoringFault(ValueError):
    """Something the user can mend. The text names the file and what to do, and holds no patient value."""


class InputFault(ScoringFault):
    """The input cannot be read to its end; what was made of it is of no use."""


class DiskFull(ScoringFault):
    """Nothing more could be written; what was finished stays for ``--resume``."""


def writing_fault(error: OSError) -> ScoringFault:
    """What a failure to write comes to.

    >>> writing_fault(OSError(28, "No space left on device"))
    DiskFull('the disk is full; make room, then --resume goes on')
    >>> writing_fault(PermissionError(13, "Permission denied", "out.csv"))
    ScoringFault('out.csv: Permission denied')
    """
    if error.errno in _FULL:
        return DiskFull("the disk is full; make room, then --resume goes on")
    words = error.strerror or type(error).__name__
    return ScoringFault(f"{error.filename}: {words}" if error.filename else f"cannot be written: {words}")
