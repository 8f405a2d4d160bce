"""What each feature is called, measured in and expected to do: the vocabulary, seen from the design matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from features.derive import CHANGE, DRAWN
from features.vocabulary import Quantity, vocabulary

Kind = Literal["last", "change", "drawn", "category", "derived"]


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that a design matrix may hold."""

    column: str
    label: str
    unit: str
    group: str
    kind: Kind
    direction: int  # +1: higher goes with faster decline; -1: slower; 0: biology does not say
    quantity: str | None  # the quantity it is made of, if one


DELTA_FS = Feature(
    "delta_fs",
    "Decline since onset (delta-FS)",
    "{score}/mo",
    "function",
    "derived",
    direction=1,  # earlier against later rate: Spearman 0.32, n = 4003 (calculated from PRO-ACT)
    quantity=None,
)


@cache
def catalogue() -> Mapping[str, Feature]:
    """Every possible feature by column, in the order that design matrices keep.

    >>> catalogue()["crp_mg_l"].direction, catalogue()["crp_mg_l_change_per_month"].unit
    (1, '(mg/L)/mo')
    """
    words = vocabulary()
    found: dict[str, Feature] = {}
    for category in words.categories.values():
        for column, value in category.columns.items():
            label = f"{category.label}: {value}"
            found[column] = Feature(column, label, "1", category.group, "category", 0, None)
    found[DELTA_FS.column] = DELTA_FS
    for quantity in words.quantities.values():
        found.update({feature.column: feature for feature in _of(quantity)})
    return found


def _of(quantity: Quantity) -> list[Feature]:
    column, label, group, name = quantity.column, quantity.label, quantity.group, quantity.name
    last = Feature(column, label, quantity.unit, group, "last", quantity.direction, name)
    if quantity.level == "patient":
        return [last]
    change_unit = f"({quantity.unit})/mo"
    way = quantity.direction  # else a worse last value could be outweighed by the change that it makes
    return [
        last,
        Feature(column + CHANGE, f"{label}, change per month (weighed)", change_unit, group, "change", way, name),
        Feature(column + DRAWN, f"{label}, months since measured", "mo", group, "drawn", 0, name),
    ]
