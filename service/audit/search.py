"""Searching a store: the records of a request, a reference or a span of time, and the notes between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from service.audit.chain import Row
from service.audit.note import Note, is_note, read_note
from service.audit.record import AuditRecord, read_record
from service.audit.store import Reader


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: all that is said has to fit.

    ``reference`` is the caller's, as answers have it: of a rejection none is kept. Notes have neither request nor
    reference. Times are from ``since`` on and before ``until``.
    """

    request_id: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, found: AuditRecord | Note) -> bool:
        """Whether a record or note is among them."""
        time = time_at(found)
        if (self.since is not None and time < self.since) or (self.until is not None and time >= self.until):
            return False
        if isinstance(found, Note):
            return self.request_id is None and self.reference is None
        return (self.request_id is None or found.entry.request_id == self.request_id) and (
            self.reference is None or reference_of(found) == self.reference
        )


def search_all(reader: Reader, wanted: Wanted) -> Iterator[AuditRecord | Note]:
    """The records and notes that are wanted, in the order of the chain.

    It reads the whole store, about 40,000 records a second, and does not verify them.

    Raises:
        ValueError: a record cannot be read; the text names it.
        StoreFailed: the store cannot be read further.
    """
    return (found for found in map(read_row, reader.rows()) if wanted.fits(found))


def search(reader: Reader, wanted: Wanted | None = None) -> Iterator[AuditRecord]:
    """Only the records; see `search_all`."""
    return (found for found in search_all(reader, wanted or Wanted()) if isinstance(found, AuditRecord))


def read_row(row: Row) -> AuditRecord | Note:
    """What a row holds.

    Raises:
        ValueError: it cannot be read; the text names it.
    """
    try:
        return read_note(row.body) if is_note(row.body) else read_record(row.body, row.output)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"record {row.seq} cannot be read; run `tregcast audit verify`") from error


def time_at(found: AuditRecord | Note) -> datetime:
    """When it was written."""
    return found.time if isinstance(found, Note) else found.entry.time


def reference_of(record: AuditRecord) -> str | None:
    """The caller's reference in a recorded answer; None where it has none."""
    output = record.entry.output
    if output is None or b'"reference"' not in output:
        return None
    try:
        answer = json.loads(output)
    except ValueError:
        return None
    if isinstance(answer, dict) and isinstance(answer.get("as_it_is"), dict):  # of a what-if
        answer = answer["as_it_is"]
    said = answer.get("reference") if isinstance(answer, dict) else None
    return said if isinstance(said, str) else None
