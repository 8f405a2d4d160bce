"""Which columns of the vocabulary a header of a file may mean: a question for a person, never an answer."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from features.table import COMPARATOR, known_columns
from features.vocabulary import vocabulary

MOST = 3
CLOSE = 0.8  # assumption: of difflib's ratio; one letter of five may differ


def near_columns(header: str) -> tuple[str, ...]:
    """Columns whose own name, quantity or label is like the header, the likest first.

    >>> near_columns("crp"), near_columns("CRP (mg/L)"), near_columns("IL-6"), near_columns("comment")
    (('crp_mg_l',), ('crp_mg_l',), ('il6_pg_ml',), ())
    >>> near_columns("crp_comparator")
    ('crp_mg_l_comparator',)
    """
    words = _words()
    plain = _plain(header)
    if plain.endswith(COMPARATOR):
        columns = vocabulary().by_column
        return tuple(near + COMPARATOR for near in near_columns(plain.removesuffix(COMPARATOR)) if near in columns)
    if not plain:
        return ()
    if plain in words:
        return (words[plain],)
    longer = [word for word in words if word.startswith(f"{plain}_")] if len(plain) > 2 else []
    close = get_close_matches(plain, words, n=MOST, cutoff=CLOSE)
    return tuple(dict.fromkeys(words[word] for word in [*close, *longer]))[:MOST]


@cache
def _words() -> dict[str, str]:
    """Plain spelling -> column; a column's own name outweighs a quantity's, and that a label."""
    found: dict[str, str] = {}
    for quantity in vocabulary().quantities.values():
        found[_plain(quantity.label)] = quantity.column
    for quantity in vocabulary().quantities.values():
        found[_plain(quantity.name)] = quantity.column
    found.update({_plain(column): column for column in known_columns() if not column.endswith(COMPARATOR)})
    return found


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
