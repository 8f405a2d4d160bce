"""The columns that pass between Spark and the tasks, beside those of the input and of the answers."""

from __future__ import annotations

import pyarrow as pa

from scoring.columns import CODES, PROBLEMS, reject_schema

ROW_NUMBER = "_tregcast_row"
KEY = "_tregcast_key"  # the same for all rows of a patient, and for no other
LINE = "_tregcast_line"  # of NDJSON, bytes
FIELDS = "_tregcast_fields"  # how many a line of CSV has, where they are not as many as the header's
PATH, START = "_tregcast_path", "_tregcast_start"  # of the block that a line is in
OWN = (ROW_NUMBER, KEY, LINE, FIELDS, PATH, START)

KIND, ANSWERS, REJECTS = "kind", "answers", "rejects"


def both_schema(answers: pa.Schema) -> pa.Schema:
    """Of answers and rejects in one table: the kind, the columns of the answers, what only rejects have.

    >>> both_schema(pa.schema([("row", pa.int64()), ("outcome", pa.string())])).names
    ['kind', 'row', 'outcome', 'codes', 'problems']
    """
    own = [field for field in reject_schema(pa.string()) if field.name in {CODES, PROBLEMS}]
    return pa.schema([(KIND, pa.string()), *answers, *own])
