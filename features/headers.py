"""What became of the headers of a table: read, not read, not read though they are like a column that is missing.

A marker whose header is misspelt is a marker that was not measured: the answer is another one, and nothing in it
says why. So headers are named before anything is made of the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from features.near_match import near_columns
from features.table import DATE, ONSET, PATIENT, TIME
from features.vocabulary import vocabulary

MOST_NAMED = 100  # headers in a line for people; a program finds all
NAMELESS = "(no name)"


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of one table.

    Attributes:
        read, not_read: headers as they stand in the file, in its order.
        near: of a header that is not read, the columns it is like and that nothing else gives, the likest first.
        given: the vocabulary's columns that are read.
        not_used: those of them that the model has no feature of.
    """

    read: tuple[str, ...]
    not_read: tuple[str, ...]
    near: Mapping[str, tuple[str, ...]]
    given: tuple[str, ...]
    not_used: tuple[str, ...] = ()

    def for_model(self, inputs: Collection[str]) -> Headers:
        """The same, with what a model that makes features of these columns has no use for.

        >>> headers_of(["nlr", "crp_mg_l"], [], ["nlr", "crp_mg_l"]).for_model({"nlr"}).not_used
        ('crp_mg_l',)
        """
        words = vocabulary()
        measured = {*words.by_column, *words.categories} - {TIME, *inputs}
        return replace(self, not_used=tuple(column for column in self.given if column in measured))

    @property
    def warnings(self) -> list[str]:
        """A sentence with a remedy for each header that may be a column by another name."""
        near = self.near.items()
        return [f"header {name!r} {rule_of(name, like)}; {remedy_of(name, like)}" for name, like in near]

    def lines(self) -> list[str]:
        """All of it for people; warnings last."""
        found = [f"headers read: {_listed(self.read)}"]
        found += [f"headers not read: {_listed(self.not_read)}"] * bool(self.not_read)
        found += [f"read, but no feature of this model: {_listed(self.not_used)}"] * bool(self.not_used)
        found += [f"no {PATIENT} is read: each row is a patient of its own"] * (PATIENT not in self.given)
        return [*found, *(f"Warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> dict[str, object]:
        """All of it for programs."""
        near = {header: list(columns) for header, columns in self.near.items()}
        return {
            "read": list(self.read),
            "not_read": list(self.not_read),
            "near": near,
            "no_feature": list(self.not_used),
        }


def headers_of(
    read: Collection[str], not_read: Collection[str], given: Collection[str], ignored: Collection[str] = ()
) -> Headers:
    """What became of headers.

    Args:
        read, not_read: all headers of a file.
        given: the vocabulary's columns that come from those that are read, or are said otherwise.
        ignored: headers that are left out on purpose.

    >>> headers_of(["months_since_onset"], ["NfL_pg_ml", "ward"], ["months_since_onset"]).near
    {'NfL_pg_ml': ('nfl_pg_ml',)}
    """
    instead = {DATE, ONSET} if TIME in given else {TIME} if DATE in given else set()
    near: dict[str, tuple[str, ...]] = {}
    for header in not_read:
        found = tuple(column for column in near_columns(header) if column not in {*given, *instead})
        if found and header not in ignored:
            near[header] = found
    return Headers(tuple(read), tuple(not_read), near, tuple(given))


def rule_of(header: str, near: tuple[str, ...]) -> str:
    """What is to be said of a header that is not read."""
    if header in near:
        return "is a column of the vocabulary, but the mapping leaves it out"
    return f"is no column of the vocabulary and is not read, but is like {' or '.join(near)}"


def remedy_of(header: str, near: tuple[str, ...]) -> str:
    """What to do about it.

    >>> remedy_of("CRP", ("crp_mg_l",))
    'rename it, map it (crp_mg_l = { header = "CRP", unit = "..." }), or put it into ignore = [...] of a mapping'
    """
    if header in near:
        return f'map it ({header} = "{header}"), or put it into ignore = [...] of the mapping'
    unit = ', unit = "..."' if near[0] in vocabulary().by_column else ""
    way = f'{near[0]} = {{ header = "{header}"{unit} }}'
    return f"rename it, map it ({way}), or put it into ignore = [...] of a mapping"


def _listed(names: Collection[str]) -> str:
    shown = [(name.strip() and name) or NAMELESS for name in list(names)[:MOST_NAMED]]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(shown) + more or "none"
