"""The subgroups in which two versions are compared: a list of rules, each of which gives an example its group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distribution import band_of
from model.predictor import BANDS
from training.cohort import Example

UNKNOWN = "not known"
FEWEST_SHOWN = 20  # patients; the figures of a subgroup with fewer say little and come close to telling of persons
YOUNG_BELOW, OLD_ABOVE = 50.0, 65.0  # years


@dataclass(frozen=True, slots=True)
class Subgroup:
    """A group of examples: by what, which, and the rows in it, (n,) bool."""

    kind: str
    value: str
    rows: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """As it is told: ``sex: female``."""
        return f"{self.kind}: {self.value}"


def age_band(years: float | None) -> str:
    """The band of an age at the index visit.

    >>> [age_band(years) for years in (49.9, 50.0, 65.0, 65.1, None)]
    ['< 50', '50-65', '50-65', '> 65', 'not known']
    """
    if years is None:
        return UNKNOWN
    return f"< {YOUNG_BELOW:g}" if years < YOUNG_BELOW else f"> {OLD_ABOVE:g}" if years > OLD_ABOVE else "50-65"


def _category(name: str) -> Callable[[Example], str]:
    return lambda example: example.record.categories.get(name, UNKNOWN)


def _riluzole(example: Example) -> str:
    """As last known at the index visit."""
    said = [visit.riluzole for visit in example.record.visits if visit.riluzole is not None]
    return said[-1] if said else UNKNOWN


RULES: dict[str, Callable[[Example], str]] = {
    "sex": _category("sex"),
    "age": lambda example: age_band(example.record.age_years),
    "onset site": _category("onset_site"),
    "site": lambda example: example.site or UNKNOWN,
    "C9orf72": _category("c9orf72"),
    "riluzole": _riluzole,
}
"""What an example is grouped by, beside the band that the champion predicts."""


def subgroups(examples: tuple[Example, ...], champion_rate: NDArray[np.float64]) -> tuple[Subgroup, ...]:
    """All subgroups of examples (n), by rule and value; what is the same for all is no subgroup.

    The predicted band is the champion's, for both: two versions can only be compared on the same rows.
    """
    labels = {kind: np.array([rule(example) for example in examples]) for kind, rule in RULES.items()}
    labels["predicted band"] = np.array([BANDS[band] for band in band_of(champion_rate)])
    return tuple(
        Subgroup(kind, str(value), found == value)
        for kind, found in labels.items()
        for value in np.unique(found)
        if not (found == value).all()
    )
