"""Which calendar day a time stamp means: that of whoever wrote it, where the file says whose clock it was.

A Parquet file holds instants as UTC. The zone they were written in stands in a note of Arrow's, where there is one
(pyarrow, pandas and polars write it; Spark and older tools do not). Without it the writer's day cannot be known,
unless the instant is midnight in UTC, as days written by a clock of UTC are.
"""

from __future__ import annotations

ARROW_NOTE = "ARROW:schema"  # the key of that note in a Parquet file
ZONE_UNKNOWN = "is an instant whose time zone the file does not say, and not midnight in UTC: its day is not known"
ZONE_MISSING = "is in a time zone that is not known here"
DAY_REMEDY = "store days, as date or as text YYYY-MM-DD"
NO_CELL = "is of a type that no cell has ({kind})"
CELL_REMEDY = "store numbers, text, booleans or days, one in a cell"
