"""Lines of NDJSON parsed: each a record as the service takes it, or what is wrong with it."""

from __future__ import annotations

from datetime import date

from features.parse import parse_record, parse_reference
from features.problem import Problem, Rejected
from features.record import PatientRecord
from features.strict_json import loads

LONGEST_LINE = 256 * 1024  # bytes, as the service takes for one record

Parsed = tuple[str | None, PatientRecord | None, tuple[Problem, ...]]
"""The caller's reference, the record, and why there is none."""


def parse_line(line: bytes, today: date) -> Parsed:
    """What a line holds.

    >>> reference, record, problems = parse_line(b'{"reference": "A-1", "visits": []}', date(2026, 1, 1))
    >>> reference, record, problems[0].code
    ('A-1', None, 'empty_history')
    """
    if len(line) > LONGEST_LINE:
        rule, remedy = f"is longer than {LONGEST_LINE} bytes", "send the most recent visits"
        return None, None, (Problem("too_large", "record", None, rule, remedy),)
    reference = None
    try:
        value = loads(line)
        reference = parse_reference(value)
        return reference, parse_record(value, today=today), ()
    except Rejected as rejected:
        return reference, None, rejected.every
