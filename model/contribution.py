"""A feature's share of an estimate, and how it is told in words."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from features.feature import Feature, catalogue
from features.units import plain


class Contribution(NamedTuple):
    """A feature's signed share of the estimate, in points/month; ``value`` is None where it was not measured.

    >>> from features.feature import catalogue
    >>> Contribution(catalogue()["crp_mg_l"], 8.234567, 0.1234).words
    'C-reactive protein 8.235 mg/L: 0.12 points/month faster'
    """

    about: Feature
    value: float | None
    points_per_month: float

    @property
    def feature(self) -> str:
        """Its column."""
        return self.about.column

    @property
    def words(self) -> str:
        """What a person reads."""
        share, value = self.points_per_month, self.value
        before, after = _around(self.about.column)
        way = "faster" if share > 0 else "slower"
        if value is None:
            said = f"{self.about.label} not measured"
        elif self.about.kind == "category":
            said = f"{self.about.label}, {'yes' if value == 1.0 else 'no'}"
        else:
            said = f"{before}{_four_digits(value)}{after}"
        return f"{said}: {abs(share):.2f} points/month {way}"


def _four_digits(value: float) -> str:
    text = f"{value:.4g}"
    return plain(float(text)) if "e" in text else text


@cache
def _around(column: str) -> tuple[str, str]:
    """What stands before and after the value of a feature."""
    feature = catalogue()[column]
    unit = feature.unit
    if feature.kind == "change":
        unit = unit.removeprefix("(").removesuffix(")/mo")
        said = f"{UNIT_WORDS.get(unit, unit) or 'units'}/month"
    else:
        said = UNIT_WORDS.get(unit, unit)
    return f"{feature.label} ", f" {said}".rstrip()


UNIT_WORDS = {
    "{score}": "points",
    "{score}/mo": "points/month",
    "1": "",
    "a": "years",
    "mo": "months",
}
