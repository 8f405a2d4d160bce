"""Units: what a number means. The unit is required and never guessed."""

from __future__ import annotations

from decimal import Context, Decimal

from features.vocabulary import Quantity

DAYS_PER_MONTH = 30.4375  # 365.25 / 12
DAYS_PER_YEAR = 365.25
_WORDS = {"1": "", "{score}": "points"}
_EXACT = Context(prec=60)  # more digits than any product of a value and a factor has


def to_canonical(quantity: Quantity, value: float, unit: str) -> float:
    """``value`` in the canonical unit of the quantity, in decimal arithmetic: 0.57 mg/dL is 5.7 mg/L to the bit.

    Raises:
        KeyError: ``unit`` is not accepted for this quantity.

    >>> from features.vocabulary import vocabulary
    >>> to_canonical(vocabulary().quantities["crp"], 0.57, "mg/dL")
    5.7
    """
    accepted = quantity.units[unit]
    if accepted.numerator == accepted.denominator:
        return float(value)
    product = _EXACT.multiply(_decimal(value), _decimal(accepted.numerator))
    return float(_EXACT.divide(product, _decimal(accepted.denominator)))


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


def amount(number: str, unit: str) -> str:
    """A number, or a range, with its unit as a person writes them.

    >>> amount("8200", "mg/L"), amount("0-48", "{score}"), amount("3.4", "1")
    ('8200 mg/L', '0-48 points', '3.4')
    """
    return f"{number} {_WORDS.get(unit, unit)}".rstrip()


def _decimal(number: float) -> Decimal:
    """The shortest decimal that reads back as this number: what was sent, not its binary neighbour."""
    return Decimal(repr(float(number)))
