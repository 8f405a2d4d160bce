"""How many rejects a run may have before its exit code says so."""

from __future__ import annotations

from dataclasses import dataclass

TOO_MANY_REJECTS = 3  # exit code


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """A number of rows, or a percentage of them."""

    amount: float
    is_share: bool

    def exceeded(self, rejected: int, rows: int) -> bool:
        """Whether so many rejects among so many rows are too many.

        >>> reject_limit("1%").exceeded(2, 100), reject_limit("2").exceeded(2, 100)
        (True, False)
        """
        return rejected > (self.amount * rows / 100 if self.is_share else self.amount)

    def exit_code(self, rejected: int, rows: int) -> int:
        """What a run that wrote all its files ends with: 3 if there are too many rejects, else 0."""
        return TOO_MANY_REJECTS if self.exceeded(rejected, rows) else 0


def reject_limit(text: str) -> RejectLimit:
    """The limit that a text such as ``0`` or ``1.5%`` says.

    Raises:
        ValueError: it is neither.

    >>> reject_limit("1.5%"), reject_limit("10")
    (RejectLimit(amount=1.5, is_share=True), RejectLimit(amount=10.0, is_share=False))
    """
    share = text.endswith("%")
    try:
        amount = float(text[:-1]) if share else float(int(text))
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= (100 if share else 1e15):
        raise ValueError(f"{text} is no number of rows and no percentage; give 100 or 0.5%")
    return RejectLimit(amount, share)
