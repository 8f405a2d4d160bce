"""One thing that must hold between the values of a visit: a product, a sum, a part of a whole; and when it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.record import Measurement
from features.vocabulary import Qualifiers, vocabulary

LOWEST_RATIO, HIGHEST_RATIO = 0.75, 1.33  # where it comes from: features/consistency.py
MOST_POINTS_APART = 1.0  # of the totals in PRO-ACT 96.3 % equal their items, 3.6 % are one point off (halves)

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Identity:
    """``name`` is what ``compute`` makes of ``parts``: within a ratio, to a point, or (``ceiling``) at the most.

    ``compute`` takes numbers, or columns of them, and gives the same bits of either. Where ``given`` is a
    quantity, its qualifier and a value, the identity holds only of values that were measured so; where ``same`` is
    a qualifier, only of values that share it.
    """

    name: str
    parts: tuple[str, ...]
    compute: Callable[[Mapping[str, Any]], Any]
    says: str
    points: bool = False
    ceiling: bool = False
    given: tuple[str, str, str] | None = None
    same: str | None = None
    completes: bool = True  # whether it gives ``name`` where that was not measured; a ceiling never does

    def applies(self, measured: Mapping[str, Measurement]) -> bool:
        """Whether it holds of measurements, given how they were made; ``name`` and ``parts`` are among them."""
        if self.given is not None:
            quantity, qualifier, value = self.given
            if (qualifier, value) not in measured[quantity].qualifiers:
                return False
        if self.same is None:
            return True
        said = {
            pair for name in (self.name, *self.parts) for pair in measured[name].qualifiers if pair[0] == self.same
        }
        return len(said) == 1

    def inherited(self, parts: Mapping[str, Measurement]) -> Qualifiers | None:
        """How ``name`` was measured if it is computed from its parts; None where it does not follow from them.

        >>> from features.consistency import IDENTITIES
        >>> share = Measurement(7.0, None, (("treg_denominator", "cd4"), ("treg_gate", "foxp3")))
        >>> IDENTITIES[0].inherited({"cd4_count": Measurement(700.0), "treg_pct_cd4": share})
        (('treg_gate', 'foxp3'),)
        """
        if self.given is not None:
            quantity, qualifier, value = self.given
            if (qualifier, value) not in parts[quantity].qualifiers:
                return None
        own = {each.name for each in vocabulary().quantities[self.name].qualifiers}
        return (
            tuple(pair for part in self.parts for pair in parts[part].qualifiers if pair[0] in own) if own else ()
        )

    def allows(self, value: Number, expected: Number) -> bool | NDArray[np.bool_]:
        """Whether what was measured goes with what ``compute`` gives; of columns, for each row.

        >>> from features.consistency import IDENTITIES
        >>> IDENTITIES[0].name, IDENTITIES[0].allows(50.0, 49.0), IDENTITIES[0].allows(700.0, 49.0)
        ('treg_count', True, False)
        """
        if self.points:
            return abs(value - expected) <= MOST_POINTS_APART
        most = value <= expected * HIGHEST_RATIO
        return most if self.ceiling else most & (value >= expected * LOWEST_RATIO)

    @property
    def allowed(self) -> str:
        """The same in words."""
        if self.points:
            return f"at most {MOST_POINTS_APART:g} apart"
        most = f"at most {HIGHEST_RATIO} times it"
        return most if self.ceiling else f"allowed ratio {LOWEST_RATIO}-{HIGHEST_RATIO}"
