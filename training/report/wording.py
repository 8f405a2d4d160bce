"""Figures and units as a reader of a report knows them."""

from __future__ import annotations

from training.paired import Difference
from training.report.accuracy import Estimate

WORDS = {"{score}": "points", "1": "", "a": "years", "mo": "months"}


def unit_words(unit: str) -> str:
    """The code of a unit in words, where it has some.

    >>> [unit_words(unit) for unit in ("{score}/mo", "(mg/L)/mo", "a", "1", "ug/mL")]
    ['points/month', 'mg/L per month', 'years', '', 'ug/mL']
    """
    if unit.endswith("/mo"):
        of = unit.removesuffix("/mo").removeprefix("(").removesuffix(")")
        return "points/month" if of == "{score}" else f"{WORDS.get(of, of)} per month".strip()
    return WORDS.get(unit, unit)


def estimated(found: Estimate, decimals: int = 3) -> str:
    """A figure with its interval.

    >>> estimated(Estimate(0.4621, 0.43, 0.5)), estimated(Estimate(None, None, None))
    ('0.462 (0.430 to 0.500)', 'not defined')
    """
    if found.value is None or found.lower is None or found.upper is None:
        return "not defined"
    return f"{found.value:.{decimals}f} ({found.lower:.{decimals}f} to {found.upper:.{decimals}f})"


def changed(found: Difference, decimals: int = 3) -> str:
    """A difference with its interval.

    >>> changed(Difference(-0.0123, -0.02, 0.001))
    '-0.012 (-0.020 to +0.001)'
    """
    return f"{found.estimate:+.{decimals}f} ({found.lower:+.{decimals}f} to {found.upper:+.{decimals}f})"
