"""``tregcast audit``: verify the trail, look into it, make its key."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import NEW_FILE, Fault

if TYPE_CHECKING:
    from service.audit.record import AuditRecord
    from service.audit.store_uri import StoreUri
    from service.audit.verify import Verdict

store_option = click.option(
    "--store", metavar="URI", help="sqlite:///FILE or postgresql://...; default TREGCAST_AUDIT."
)


@click.group()
def audit() -> None:
    """Verify the audit trail, look into it, make the key of its input digests."""


@audit.command()
@store_option
@click.option(
    "--anchor", type=NEW_FILE, help="Default TREGCAST_AUDIT_ANCHOR, else FILE.head beside a SQLite store."
)
@click.option(
    "--expect-head", metavar="SEQ:HASH", multiple=True, help="A head that was kept elsewhere; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(store: str | None, anchor: Path | None, expect_head: tuple[str, ...], as_json: bool) -> None:
    """Find any record that was changed, removed, inserted, reordered or cut off.

    Ends with exit code 1 if there is one, and names the first; with 2 if the store cannot be opened.
    """
    from service.audit.anchor import read_anchor
    from service.audit.chain import read_head
    from service.audit.settings import default_anchor
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_reader
    from service.audit.verify import verify as run

    uri = _uri(store)
    said = os.environ.get("TREGCAST_AUDIT_ANCHOR") if store is None else None
    file = anchor or (Path(said) if said else default_anchor(uri))
    try:
        expected = [read_head(text) for text in expect_head]
        anchored = None if file is None else read_anchor(file)  # before the store, which may go on
        if anchored is None and (anchor or said):
            raise Fault(f"{file}: there is no anchor; leave out --anchor to verify without one")
        with open_reader(uri) as reader:
            verdict = run(reader, expected=expected, anchor=anchored)
    except (ValueError, StoreFailed) as error:
        raise Fault(str(error)) from error
    click.echo(json.dumps(_verdict_json(verdict)) if as_json else _verdict_text(verdict))
    if verdict.fault is not None:
        raise click.exceptions.Exit(1)


@audit.command()
@store_option
@click.option("--request-id", help="The id in the answer's x-request-id.")
@click.option("--from", "since", metavar="TIME", help="ISO 8601, from this time on; UTC where no offset is said.")
@click.option("--to", "until", metavar="TIME", help="Before this time.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON, with its output.")
def show(store: str | None, request_id: str | None, since: str | None, until: str | None, as_json: bool) -> None:
    """Print records, a line each. They are not verified; the output of answers holds patient values."""
    from service.audit.search import search
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_reader

    uri = _uri(store)
    first, end = _time("--from", since), _time("--to", until)
    try:
        with open_reader(uri) as reader:
            for record in search(reader, request_id=request_id, since=first, until=end):
                click.echo(json.dumps(_record_json(record)) if as_json else _record_text(record))
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


def _uri(said: str | None) -> StoreUri:
    from service.audit.settings import OFF
    from service.audit.store_uri import parse_uri

    text = said or os.environ.get("TREGCAST_AUDIT")
    if text is None or text == OFF:
        raise Fault("there is no store; give --store, or set TREGCAST_AUDIT")
    try:
        return parse_uri(text)
    except ValueError as error:
        raise Fault(f"{'--store' if said else 'TREGCAST_AUDIT'} {error}") from error


def _time(option: str, said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        raise Fault(
            f"{option} {said!r} is not a time; give one like 2026-01-31 or 2026-01-31T14:05:00+01:00"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    fault = verdict.fault
    return {
        "verified": fault is None,
        "store": verdict.store_id,
        "head": str(verdict.head),
        "withheld": verdict.withheld,
        "held_to": [str(head) for head in verdict.held_to],
        "fault": None if fault is None else {"seq": fault.seq, "words": fault.words},
    }


def _verdict_text(verdict: Verdict) -> str:
    if verdict.fault is not None:
        good = f"\nThe {verdict.head.seq} records before it verify." if verdict.fault.seq > 1 else ""
        return f"NOT VERIFIED. Record {verdict.fault.seq}: {verdict.fault.words}.{good}"
    held = (
        f"held to {', '.join(f'{head.seq}:{head.hash[:8]}...' for head in verdict.held_to)}"
        if verdict.held_to
        else "there is no anchor and no expected head: whether its end was cut off cannot be told"
    )
    withheld = f" {verdict.withheld} of them withhold an answer." if verdict.withheld else ""
    return f"verified: {verdict.head.seq} records; {held}.{withheld}\nhead {verdict.head}"


def _record_json(record: AuditRecord) -> dict[str, object]:
    entry = record.entry
    return {
        "seq": record.seq,
        "time": entry.time.isoformat(),
        "request": entry.request_id,
        "caller": {"id": entry.caller.id, "kind": entry.caller.kind},
        "pack": entry.pack_id,
        "made_by": record.made_by,
        "input": entry.input_digest,
        "outcome": entry.outcome,
        "codes": list(entry.codes),
        "position": entry.position,
        "withholds": record.withholds,
        "before": record.before,
        "output": None if entry.output is None else entry.output.decode("utf-8", "replace"),
    }


def _record_text(record: AuditRecord) -> str:
    """One line; texts as in JSON, so that none of them can speak to the terminal."""
    entry = record.entry
    parts = [
        f"{record.seq}",
        entry.time.isoformat(timespec="microseconds"),
        f"request {json.dumps(entry.request_id)}",
        f"caller {json.dumps(entry.caller.id)} ({json.dumps(entry.caller.kind)})",
        entry.outcome + "".join(f" {json.dumps(code)}" for code in entry.codes),
        "" if entry.position is None else f"position {entry.position}",
        "" if record.withholds is None else f"withholds {record.withholds}",
        f"pack {json.dumps(entry.pack_id)[1:13]}",
    ]
    return "  ".join(part for part in parts if part)
