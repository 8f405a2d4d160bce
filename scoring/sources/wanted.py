"""Which headers of a table are read: those that the mapping names or, without one, those of the vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.mapping import ColumnMapping
from features.table import DATE, PATIENT, TIME, known_columns
from scoring.fault import InputFault


@dataclass(frozen=True, slots=True)
class Wanted:
    """Headers that are read, in the order of the file, and the one of the patients' identifiers."""

    headers: tuple[str, ...]
    patient_header: str | None


def wanted_headers(mapping: ColumnMapping) -> set[str]:
    """Every header that is read where a table has it."""
    return {header for source in mapping.sources.values() for header in source.headers} or set(known_columns())


def wanted(path: Path | str, headers: Sequence[str], mapping: ColumnMapping) -> Wanted:
    """What is read of a table with these headers; all that is wrong with them is told at once.

    Raises:
        InputFault: a header that the mapping names is missing, a used one stands twice, or no visit can be dated.

    >>> wanted(Path("c.csv"), ["months_since_onset", "ward", "nlr"], ColumnMapping())
    Wanted(headers=('months_since_onset', 'nlr'), patient_header=None)
    """
    named = {header for source in mapping.sources.values() for header in source.headers}
    used = named or set(known_columns())
    problems = []
    missing = sorted(named - set(headers))
    if missing:
        problems.append(f"the mapping names {', '.join(missing)}, but the file has {', '.join(headers)}")
    twice = [header for header, count in Counter(headers).items() if count > 1 and header in used]
    problems += [f"the header {header} stands there more than once; keep one column" for header in twice]
    columns = set(mapping.sources) if mapping.sources else set(headers)
    if not columns & {TIME, DATE}:
        problems.append(f"no column {TIME} or {DATE}; name columns as the vocabulary does, or give a mapping")
    source = mapping.sources.get(PATIENT)
    if source is not None and (len(source.headers) != 1 or source.flags):
        problems.append(f"the mapping makes {PATIENT} of several columns; name one header")
    if problems:
        raise InputFault(f"{path}: " + "; ".join(problems))
    patient = source.headers[0] if source is not None else PATIENT if not named and PATIENT in headers else None
    return Wanted(tuple(header for header in headers if header in used), patient)
