"""How the qualified values of a cohort were measured: the way of most, and how many readings are of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from features.derive import MeasuredAs, following, qualified
from features.record import PatientRecord
from features.vocabulary import UNKNOWN, Qualifiers, Quantity


@dataclass(frozen=True, slots=True)
class OtherWay:
    """Readings of a cohort that were measured otherwise than most of their quantity, and are not used.

    Attributes:
        quantity: of which.
        measured: how they were.
        usual: how most were.
        readings: how many there are.
    """

    quantity: Quantity
    measured: Qualifiers
    usual: Qualifiers
    readings: int

    def __str__(self) -> str:
        was = "1 value was" if self.readings == 1 else f"{self.readings} values were"
        words = self.quantity.words
        return f"{self.quantity.column}: {was} left out, {words(self.measured)}; most have {words(self.usual)}"


def usual_ways(records: Iterable[PatientRecord]) -> MeasuredAs:
    """By quantity that has qualifiers, how most of its readings were measured; of equally many, a known way.

    Args:
        records: of patients; one that continues another counts its visits once more.

    >>> from features.record import Measurement, Visit
    >>> made = [Visit(9.0, {"treg_count": Measurement(40.0, None, (("treg_gate", gate),))})
    ...         for gate in ("foxp3", "unknown", "foxp3")]
    >>> usual_ways(PatientRecord((visit,)) for visit in made)
    {'treg_count': (('treg_gate', 'foxp3'),)}
    """
    return {name: _usual(found) for name, found in _ways(records).items() if found}


def other_ways(records: Sequence[PatientRecord]) -> tuple[OtherWay, ...]:
    """The readings that `usual_ways` leaves out, by quantity and way, the most frequent first."""
    return tuple(
        OtherWay(quantity, way, _usual(found), count)
        for quantity, found in ((each, _ways(records)[each.name]) for each in qualified())
        for way, count in found.most_common()
        if way != _usual(found)
    )


def _ways(records: Iterable[PatientRecord]) -> dict[str, Counter[Qualifiers]]:
    counted: dict[str, Counter[Qualifiers]] = {quantity.name: Counter() for quantity in qualified()}
    for record in records:
        for visit in record.visits:
            measured = {**visit.measurements, **following(visit.measurements)}
            for name, found in counted.items():
                if name in measured:
                    found[measured[name].qualifiers] += 1
    return counted


def _usual(counted: Counter[Qualifiers]) -> Qualifiers:
    def weight(way: Qualifiers) -> tuple[int, int, Qualifiers]:
        return -counted[way], sum(value == UNKNOWN for _, value in way), way

    return min(counted, key=weight)
