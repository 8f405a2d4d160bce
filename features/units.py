"""Units: what a number means. The unit is required and never guessed."""

from __future__ import annotations

from features.vocabulary import Quantity

DAYS_PER_MONTH = 30.4375  # 365.25 / 12


def to_canonical(quantity: Quantity, value: float, unit: str) -> float:
    """``value`` in the canonical unit of the quantity.

    Raises:
        KeyError: ``unit`` is not accepted for this quantity.

    >>> from features.vocabulary import vocabulary
    >>> to_canonical(vocabulary().quantities["crp"], 0.82, "mg/dL")
    8.2
    """
    accepted = quantity.units[unit]
    return value * accepted.numerator / accepted.denominator


def outside(quantity: Quantity, value: float) -> str | None:
    """``"above"`` or ``"below"`` if a canonical value is outside the hard range, else nothing."""
    low, high = quantity.plausible
    if value > high:
        return "above"
    return "below" if value < low else None


def likely_unit(quantity: Quantity, value: float, unit: str) -> str | None:
    """Another accepted unit in which ``value`` would be plausible, to be offered as a question.

    >>> from features.vocabulary import vocabulary
    >>> likely_unit(vocabulary().quantities["crp"], 8200.0, "mg/L")
    'ug/L'
    """
    low, high = quantity.reference or quantity.plausible
    best: str | None = None
    for code in quantity.units:
        if code == unit:
            continue
        canonical = to_canonical(quantity, value, code)
        if low <= canonical <= high:
            return code
        if best is None and outside(quantity, canonical) is None:
            best = code
    return best


def plain(number: float) -> str:
    """A number as a person writes it.

    >>> plain(500.0), plain(0.045), plain(1234567.0)
    ('500', '0.045', '1234567')
    """
    return f"{number:.0f}" if float(number).is_integer() and abs(number) < 1e15 else f"{number:.6g}"
