"""Whether the pack was trained on the very file that was scored: what of it can be checked, and what cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OVERLAP = (
    "A pack holds no patients, so whether some of these patients were among those it was trained on was not and "
    "cannot be checked; if they were, the figures are too good."
)


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What was found: the same file, by its digest or by its looks; another; or nothing to compare."""

    kind: Literal["same", "alike", "other", "unknown"]
    words: str

    @property
    def is_warning(self) -> bool:
        """Whether the figures say nothing of new patients."""
        return self.kind in {"same", "alike"}


def trained_on(card: Mapping[str, object], source: Path, mapping: Path | None, rows: int) -> TrainedOn:
    """Compare the cohort of a pack's card with the file that was scored.

    Args:
        card: the pack's. source, mapping: what was scored. rows: in it.

    >>> trained_on({}, Path("visits.csv"), None, 10).kind
    'unknown'
    """
    cohort = card.get("cohort")
    digest = cohort.get("digest") if isinstance(cohort, Mapping) else None
    if not isinstance(cohort, Mapping) or not isinstance(digest, str):
        return TrainedOn("unknown", f"The pack's card names no cohort to compare with. {OVERLAP}")
    if not source.is_file():
        return TrainedOn("unknown", f"A cohort is a file, and a folder cannot be compared with it. {OVERLAP}")
    optimistic = "The model has seen what came of these patients: the figures here are too good, and say nothing of"
    if digest in _digests(source, mapping):
        return TrainedOn("same", f"The pack was trained on this very file. {optimistic} new patients.")
    if cohort.get("file") == source.name and cohort.get("rows") == rows:
        words = "The pack was trained on a file of this name with as many rows, though not on the same bytes."
        return TrainedOn(
            "alike", f"{words} If it is the same cohort: {optimistic[0].lower()}{optimistic[1:]} others."
        )
    return TrainedOn("other", f"The pack was trained on another file (its digest differs). {OVERLAP}")


def _digests(source: Path, mapping: Path | None) -> set[str]:
    """What the digest of a cohort of this file would be: with the mapping, and without one."""
    with source.open("rb") as file:
        alone = hashlib.file_digest(file, "sha256")
    found = {alone.hexdigest()}
    if mapping is not None:
        alone.update(mapping.read_bytes())
        found.add(alone.hexdigest())
    return found
