"""How large the proofs are: one setting for all, ``TREGCAST_TEST_SCALE``; 1 is full size."""

from __future__ import annotations

import os

NAME = "TREGCAST_TEST_SCALE"
DEFAULT = 0.004


def scaled(full: int, least: int = 1) -> int:
    """So many of a proof's ``full`` cases, and no fewer than ``least``.

    Raises:
        ValueError: the setting is no number above 0.
    """
    said = os.environ.get(NAME, "")
    share = float(said) if said else DEFAULT
    if not 0 < share < 1e6:
        raise ValueError(f"{NAME} = {said} is not a number above 0; send 1 for full size")
    return max(least, round(full * share))
