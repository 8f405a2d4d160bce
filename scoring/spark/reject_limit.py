"""How many rejects a job may have before its exit code says so."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """A number of rows, or a share of them."""

    amount: float
    is_share: bool

    def exceeded(self, rejected: int, rows: int) -> bool:
        """Whether so many rejects among so many rows are too many.

        >>> rejects_limit("1%").exceeded(2, 100), rejects_limit("2").exceeded(2, 100)
        (True, False)
        """
        return rejected > (self.amount * rows if self.is_share else self.amount)


def rejects_limit(text: str) -> RejectLimit:
    """The limit that a text such as ``0`` or ``1.5%`` says.

    Raises:
        click.BadParameter: it is neither.

    >>> rejects_limit("1.5%")
    RejectLimit(amount=0.015, is_share=True)
    """
    share = text.endswith("%")
    try:
        amount = float(text.removesuffix("%")) / (100 if share else 1)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf") or (share and amount > 1) or not (share or amount.is_integer()):
        raise click.BadParameter(f"{text} is not a number of rows nor a share; give 10 or 1%")
    return RejectLimit(amount, share)
