"""``tregcast audit accept``, ``prune`` and ``export``."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.audit_store import (
    anchor_option,
    key_option,
    store_option,
    store_uri,
    time_of_option,
    tool,
)
from commands.audit_text import note_json, record_json
from commands.options import Fault

if TYPE_CHECKING:
    from service.audit.store import Reader


@click.command()
@store_option
@anchor_option
@key_option
@click.option("--known", metavar="SEQ:HASH", help="The lost head, as /readyz says it; default the anchor's.")
@click.option("--known-store", metavar="ID", help="Where another store was seen: its id, as /readyz says it.")
@click.option("--reason", required=True, help="Why; it is kept in the chain. Nothing of a patient belongs in it.")
def accept(
    store: str | None,
    anchor: Path | None,
    key_file: Path | None,
    known: str | None,
    known_store: str | None,
    reason: str,
) -> None:
    """Go on with a store that lacks records which were written; the chain keeps a note that says so.

    For after a store was put back from a copy. The service goes on by itself, without a restart.
    """
    from service.audit.chain import read_head
    from service.audit.store import StoreFailed

    if not reason.strip():
        raise Fault("--reason is empty; say why the records are given up")
    work = tool(store, anchor, key_file)
    try:
        lost = None if known is None else read_head(known)
        lost_head, found, head = work.accept(lost, known_store, by=_user(), reason=reason)
    except (ValueError, StoreFailed) as error:
        raise Fault(str(error)) from error
    finally:
        work.store.close()
    click.echo(f"accepted: the chain goes on after {found} without {lost_head}\nhead {head}")


@click.command()
@store_option
@anchor_option
@key_option
@click.option("--before", metavar="DATE", required=True, help="What is from then on stays; UTC without an offset.")
def prune(store: str | None, anchor: Path | None, key_file: Path | None, before: str) -> None:
    """Remove the records before a date; a signed checkpoint keeps the chain verifiable.

    The service may run meanwhile. What is pruned is gone: export or copy it first if it must be kept.
    """
    from service.audit.store import StoreFailed

    time = time_of_option("--before", before)
    if time is None or time > datetime.now(UTC):
        raise Fault(f"--before {before} lies in the future; give a date that has passed")
    work = tool(store, anchor, key_file)
    try:
        removed = sum(work.prune(time))
    except StoreFailed as error:
        raise Fault(str(error)) from error
    finally:
        work.store.close()
    click.echo(f"pruned: {removed} records before {time.isoformat()}")


@click.command()
@store_option
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only records after this number.")
@click.option("--from", "since", metavar="TIME", help="ISO 8601, from this time on; UTC where no offset is said.")
@click.option("--to", "until", metavar="TIME", help="Before this time.")
@click.option("--with-answers", is_flag=True, help="Include the answers, which hold patient values.")
def export(store: str | None, after: int, since: str | None, until: str | None, with_answers: bool) -> None:
    """Print records and notes as NDJSON, one object a line, for a SIEM or an archive.

    Without --with-answers there is nothing of a patient in it. Records are not verified.
    """
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_reader

    first, end = time_of_option("--from", since), time_of_option("--to", until)
    try:
        with open_reader(store_uri(store)) as reader:
            for line in _lines(reader, after, first, end, with_answers=with_answers):
                click.echo(json.dumps(line))
    except (ValueError, StoreFailed) as error:
        raise Fault(str(error)) from error


def _lines(
    reader: Reader, after: int, since: datetime | None, until: datetime | None, *, with_answers: bool
) -> Iterator[dict[str, object]]:
    from service.audit.note import Note
    from service.audit.search import Wanted, read_row

    wanted = Wanted(since=since, until=until)
    for row in reader.rows():
        if isinstance(row.seq, int) and row.seq <= after:
            continue
        found = read_row(row)
        if not wanted.fits(found):
            continue
        if isinstance(found, Note):
            yield {"type": "note", **note_json(found), "hash": row.hash}
            continue
        line = record_json(found)
        if not with_answers:
            del line["output"]
        yield {"type": "answer", **line, "hash": row.hash}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
