"""How a table says how its values were measured, where they mean nothing without that."""

from __future__ import annotations

from features.measurement import qualifier_remedy
from features.vocabulary import Qualifier, Quantity


def unstated(quantity: Quantity) -> str:
    """The rule that a row with a value breaks which does not say how it was measured."""
    return f"is required where {quantity.column} has a value: it means nothing without it"


def statement_of(qualifier: Qualifier) -> str:
    """How a table says how a quantity was measured, in words.

    >>> from features.vocabulary import vocabulary
    >>> statement_of(vocabulary().qualifiers["treg_gate"])  # doctest: +NORMALIZE_WHITESPACE
    'fill in a column treg_gate, or state it for the whole file in the mapping: [constants] treg_gate = "...";
    send one of cd25_cd127low, foxp3, cd25high, or unknown where nobody can say'
    """
    constant = f'[constants] {qualifier.name} = "..."'
    where = f"fill in a column {qualifier.name}, or state it for the whole file in the mapping: {constant}"
    return f"{where}; {qualifier_remedy(qualifier)}"
