"""``tregcast audit``: verify the trail, look into it, make its key."""

from __future__ import annotations

import json
from pathlib import Path

import click

from commands.audit_store import (
    anchor_file,
    anchor_option,
    key_option,
    store_option,
    store_uri,
    time_of_option,
    trail_key,
)
from commands.audit_text import note_json, note_text, record_json, record_text, verdict_json, verdict_text
from commands.audit_upkeep import accept, export, prune
from commands.options import NEW_FILE, Fault


@click.group()
def audit() -> None:
    """Verify the audit trail, look into it, export it, prune it, make its key."""


for command in (accept, prune, export):
    audit.add_command(command)


@audit.command()
@store_option
@anchor_option
@key_option
@click.option(
    "--expect-head", metavar="SEQ:HASH", multiple=True, help="A head that was kept elsewhere; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(
    store: str | None, anchor: Path | None, key_file: Path | None, expect_head: tuple[str, ...], as_json: bool
) -> None:
    """Find any record that was changed, removed, inserted, reordered or cut off.

    Notes are no faults: where a clock went back, records were pruned, or a person went on without lost ones.
    Ends with exit code 1 if there is a fault, and names the first; with 2 if the store cannot be opened.
    """
    from service.audit.anchor import read_anchor
    from service.audit.chain import read_head
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_reader
    from service.audit.verify import verify as run

    uri, key = store_uri(store), trail_key(key_file)
    file, named = anchor_file(store, uri, anchor)
    try:
        expected = [read_head(text) for text in expect_head]
        anchored = None if file is None else read_anchor(file)  # before the store, which may go on
        if anchored is None and named:
            raise Fault(f"{file}: there is no anchor; leave out --anchor to verify without one")
        with open_reader(uri) as reader:
            verdict = run(reader, expected=expected, anchor=anchored, key=key)
    except (ValueError, StoreFailed) as error:
        raise Fault(str(error)) from error
    click.echo(json.dumps(verdict_json(verdict)) if as_json else verdict_text(verdict))
    if verdict.fault is not None:
        raise click.exceptions.Exit(1)


@audit.command()
@store_option
@click.option("--request-id", help="The id in the answer's x-request-id.")
@click.option("--reference", help="The caller's reference in answers; of rejections none is kept.")
@click.option("--from", "since", metavar="TIME", help="ISO 8601, from this time on; UTC where no offset is said.")
@click.option("--to", "until", metavar="TIME", help="Before this time.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON, with its output.")
def show(
    store: str | None,
    request_id: str | None,
    reference: str | None,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """Print records, a line each, and notes. They are not verified; the output of answers holds patient values."""
    from service.audit.record import AuditRecord
    from service.audit.search import Wanted, search_all
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_reader

    uri = store_uri(store)
    wanted = Wanted(request_id, reference, time_of_option("--from", since), time_of_option("--to", until))
    try:
        with open_reader(uri) as reader:
            for found in search_all(reader, wanted):
                if isinstance(found, AuditRecord):
                    click.echo(json.dumps(record_json(found)) if as_json else record_text(found))
                else:
                    click.echo(json.dumps(note_json(found)) if as_json else note_text(found))
    except (ValueError, StoreFailed) as error:
        raise Fault(str(error)) from error


@audit.command()
@click.argument("file", type=NEW_FILE)
def key(file: Path) -> None:
    """Write a new random key for TREGCAST_AUDIT_KEY to FILE, which must not be there yet."""
    from service.audit.key import make_key, read_key

    try:
        make_key(file)
    except FileExistsError:
        raise Fault(f"{file}: is there already, and a key is never written over; name another file") from None
    except OSError as error:
        raise Fault(f"{file}: cannot be written ({error.strerror})") from error
    click.echo(
        f"{file}: key {read_key(file).name}; keep it secret, and keep it: without it no input is found again"
    )
