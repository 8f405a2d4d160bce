"""The identifier of a patient: one text, whatever type a file or a caller gives it.

A text is taken as it stands: leading zeros, ``1e5``, ``NA`` and blanks around it are part of it; a text of blanks
alone names nobody. A whole number is its digits: 12, 12.0 and Decimal("12.00") are the identifier ``12``. What
could be two patients, or is no identifier, is refused.
"""

from __future__ import annotations

from decimal import Decimal

REMEDY = "store identifiers as text or as whole numbers (int64)"
FRACTION = "is a number with a fraction, which no identifier is"
NO_IDENTIFIER = "is no text and no whole number"
DOUBLE_DIGITS = 53  # bits of the significand of IEEE 754's binary64, and of binary32 and binary16
DIGITS = {8: DOUBLE_DIGITS, 4: 24, 2: 11}
BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""All characters that `str.strip` takes away: the last of them is U+3000."""
LIKE_NOTHING = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""Texts that mean "not measured" in any other column of a CSV file: as pandas reads them."""


class IdentifierError(ValueError):
    """A cell that cannot be an identifier; the text is the rule, and holds no value."""


def identifier(cell: object) -> str:
    """The text of an identifier.

    Args:
        cell: neither None nor NaN, as `features.table.absent` says it.

    Raises:
        IdentifierError: a boolean, a date, bytes or anything else that is no text and no whole number; a number
            with a fraction, or one of floating point from which on two whole numbers share one value.

    >>> identifier("007"), identifier("1e5"), identifier(" 12"), identifier("NA")
    ('007', '1e5', ' 12', 'NA')
    >>> identifier(12), identifier(12.0), identifier(Decimal("12.00"))
    ('12', '12', '12')
    >>> identifier(2.0**53)
    Traceback (most recent call last):
    features.identifier.IdentifierError: is a number of floating point at or beyond 2^53, where two identifiers ...
    """
    if isinstance(cell, str):
        return str(cell)
    kind = getattr(cell, "dtype", None)  # of NumPy's numbers
    digits = DIGITS.get(getattr(kind, "itemsize", 8), DOUBLE_DIGITS)
    if getattr(kind, "kind", "") in ("i", "u", "f"):
        cell = cell.item()  # type: ignore[attr-defined]
    if isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal)):
        raise IdentifierError(NO_IDENTIFIER)
    if cell != cell or cell in (float("inf"), float("-inf")) or cell != int(cell):  # noqa: PLR0124 - NaN
        raise IdentifierError(FRACTION)
    if isinstance(cell, float) and abs(cell) >= 2**digits:
        raise IdentifierError(too_large(digits))
    return str(int(cell))


def too_large(digits: int) -> str:
    """The rule for a number of floating point whose significand has so many bits."""
    return f"is a number of floating point at or beyond 2^{digits}, where two identifiers become one number"
