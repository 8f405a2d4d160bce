"""Units: what a number means. The unit is required and never guessed."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from functools import cache

from features.vocabulary import Quantity, vocabulary

DAYS_PER_MONTH = 30.4375  # 365.25 / 12
DAYS_PER_YEAR = 365.25
_WORDS = {"1": "", "{score}": "points"}
_EXACT = Context(prec=60)  # more digits than any product of a value and a factor has


def accepted_unit(quantity: Quantity, unit: object) -> str | None:
    """The code of the vocabulary for a unit in any of UCUM's legal forms; None for what is no unit of the quantity.

    UCUM has two codes for the litre, ``L`` and ``l``, and two signs for powers of ten, ``10*`` and ``10^``. All
    else is read letter by letter, because another case is another unit: ``MG/L`` is megagauss per litre.

    >>> crp, leukocytes = vocabulary().quantities["crp"], vocabulary().quantities["leukocytes"]
    >>> accepted_unit(crp, "mg/l"), accepted_unit(leukocytes, "10^9/L"), accepted_unit(crp, "MG/L")
    ('mg/L', '10*9/L', None)
    """
    if not isinstance(unit, str):
        return None
    if unit in quantity.units:
        return unit
    standard = _standard(unit)
    return standard if standard in quantity.units else None


def meant_unit(quantity: Quantity, unit: object) -> str | None:
    """The unit of the quantity that was probably meant by a text that is none; to be offered, never to be used.

    >>> leukocytes, pulse = vocabulary().quantities["leukocytes"], vocabulary().quantities["pulse"]
    >>> meant_unit(leukocytes, "G/L"), meant_unit(leukocytes, "K/uL"), meant_unit(pulse, "bpm")
    ('10*9/L', '10*3/uL', '/min')
    """
    return _meant(quantity.name).get(_loose(unit)) if isinstance(unit, str) else None


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
    low, high = quantity.usual or quantity.plausible
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


_LITRE = re.compile(r"(?<![A-Za-z\[{])([munpfdc]?)l(?![A-Za-z])")
_WRITTEN = {  # how people and laboratories write a unit, as `_loose` gives it
    "10*9/L": ("g/l", "gpt/l", "giga/l", "10e9/l", "x10*9/l", "x10e9/l", "109/l", "/nl", "bil/l"),
    "10*3/uL": ("k/ul", "k/mm3", "10e3/ul", "x10*3/ul", "x10e3/ul", "103/ul", "10*3/mm3", "thou/ul", "tsd/ul"),
    "10*6/L": ("m/l", "10e6/l", "x10*6/l", "x10e6/l", "106/l"),
    "/uL": ("/mm3", "/cmm", "cells/ul", "cells/mm3", "1/ul"),
    "{cells}/uL": ("cells/ul",),
    "%": ("percent", "pct", "{percent}", "[%]", "%pred", "%ofpredicted"),
    "1": ("ratio", "fraction", "{ratio}", "{fraction}", "-", ""),
    "{score}": ("points", "point", "score", "pts", "{points}", "1", ""),
    "kg/m2": ("kg/m*2", "kgm-2", "kg.m-2", "kg/qm"),
    "mm[Hg]": ("mmhg", "torr"),
    "/min": ("bpm", "1/min", "beats/min", "min-1", "{beats}/min"),
    "[lb_av]": ("lb", "lbs", "pound", "pounds", "#"),
    "[in_i]": ("in", "inch", "inches", '"'),
    "kg": ("kilo", "kgs", "kilogram", "kilograms"),
    "L": ("liter", "liters", "litre", "litres", "ltr"),
    "a": ("y", "yr", "yrs", "year", "years", "{years}"),
    "mo": ("m", "month", "months", "mon", "mth", "mths"),
    "d": ("day", "days"),
}


def _standard(unit: str) -> str:
    """A code with the vocabulary's sign for the litre and for powers of ten; annotations and brackets stay."""
    return _LITRE.sub(r"\1L", unit).replace("10^", "10*")


def _loose(unit: str) -> str:
    """A text without what people write in many ways: case, blanks, the sign for micro and for powers."""
    text = unit.lower().replace("\N{GREEK SMALL LETTER MU}", "u").replace("\N{MICRO SIGN}", "u")
    text = text.replace("mcg", "ug").replace("^", "*").replace("**", "*").replace("\N{MULTIPLICATION SIGN}", "x")
    return "".join(text.translate(_RAISED).split())


_RAISED = str.maketrans("\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT SIX}\N{SUPERSCRIPT NINE}", "2369")


@cache
def _meant(name: str) -> dict[str, str]:
    """Loose forms of the units of a quantity; the first unit of two with the same form stands."""
    found: dict[str, str] = {}
    for code in vocabulary().quantities[name].units:
        found.setdefault(_loose(code), code)
    for code in vocabulary().quantities[name].units:
        for written in _WRITTEN.get(code, ()):
            found.setdefault(written, code)
    return found


def _decimal(number: float) -> Decimal:
    """The shortest decimal that reads back as this number: what was sent, not its binary neighbour."""
    return Decimal(repr(float(number)))
