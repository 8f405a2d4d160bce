"""Which headers of a table are read: those that the mapping names or, without one, those of the vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.headers import Headers, headers_of
from features.mapping import ColumnMapping
from features.table import DATE, PATIENT, TIME
from scoring.fault import InputFault


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which headers are read, and the one of the patients' identifiers."""

    every: Headers
    patient_header: str | None

    @property
    def headers(self) -> tuple[str, ...]:
        """Those that are read, in the order of the file."""
        return self.every.read


def wanted(path: Path | str, headers: Sequence[str], mapping: ColumnMapping) -> Wanted:
    """What is read of a table with these headers; all that is wrong with them is told at once.

    Raises:
        InputFault: a header that the mapping names is missing, a used one stands twice, or no visit can be dated.

    >>> wanted(Path("c.csv"), ["months_since_onset", "ward", "nlr"], ColumnMapping()).headers
    ('months_since_onset', 'nlr')
    """
    used = mapping.used
    named = used if mapping.sources else set()
    problems = []
    missing = sorted(named - set(headers))
    if missing:
        problems.append(f"the mapping names {', '.join(missing)}, but the file has {', '.join(headers)}")
    twice = [header for header, count in Counter(headers).items() if count > 1 and header in used]
    problems += [f"the header {header} stands there more than once; keep one column" for header in twice]
    both = sorted(set(mapping.constants) & set(headers))
    problems += [
        f"the mapping states {name} for all rows, and the file has a column {name}; drop one" for name in both
    ]
    columns = set(mapping.sources) or set(headers) & used
    if not columns & {TIME, DATE}:
        problems.append(f"no column {TIME} or {DATE}; name columns as the vocabulary does, or give a mapping")
    source = mapping.sources.get(PATIENT)
    if source is not None and (len(source.headers) != 1 or source.flags):
        problems.append(f"the mapping makes {PATIENT} of several columns; name one header")
    if problems:
        raise InputFault(f"{path}: " + "; ".join(problems))
    patient = (
        source.headers[0]
        if source is not None
        else PATIENT
        if not named and PATIENT in used.intersection(headers)
        else None
    )
    read = [header for header in headers if header in used]
    not_read = [header for header in headers if header not in used]
    given = [*(mapping.sources or read), *mapping.constants]
    return Wanted(headers_of(read, not_read, given, mapping.ignored), patient)
