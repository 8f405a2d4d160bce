"""What the commands of ``tregcast audit`` share: which store, anchor and key are meant."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import FILE, NEW_FILE, Fault

if TYPE_CHECKING:
    from service.audit.key import InputKey
    from service.audit.store_uri import StoreUri
    from service.audit.upkeep import Tool

store_option = click.option(
    "--store", metavar="URI", help="sqlite:///FILE or postgresql://...; default TREGCAST_AUDIT."
)
anchor_option = click.option(
    "--anchor", type=NEW_FILE, help="Default TREGCAST_AUDIT_ANCHOR, else FILE.head beside a SQLite store."
)
key_option = click.option("--key", "key_file", type=FILE, help="Key of the trail; default TREGCAST_AUDIT_KEY.")


def store_uri(said: str | None) -> StoreUri:
    """The store that an option or the environment names.

    Raises:
        Fault: there is none.
    """
    from service.audit.settings import OFF
    from service.audit.store_uri import parse_uri

    text = said or os.environ.get("TREGCAST_AUDIT")
    if text is None or text == OFF:
        raise Fault("there is no store; give --store, or set TREGCAST_AUDIT")
    try:
        return parse_uri(text)
    except ValueError as error:
        raise Fault(f"{'--store' if said else 'TREGCAST_AUDIT'} {error}") from error


def anchor_file(store: str | None, uri: StoreUri, anchor: Path | None) -> tuple[Path | None, bool]:
    """The file of the anchor, and whether somebody named it."""
    from service.audit.settings import default_anchor

    said = os.environ.get("TREGCAST_AUDIT_ANCHOR") if store is None else None
    return anchor or (Path(said) if said else default_anchor(uri)), bool(anchor or said)


def trail_key(file: Path | None) -> InputKey | None:
    """The key that an option or the environment names; None where neither does.

    Raises:
        Fault: it cannot be used.
    """
    from service.audit.key import NAME, read_key
    from service.settings import Unusable

    said = os.environ.get(NAME)
    path = file or (Path(said) if said else None)
    try:
        return None if path is None else read_key(path)
    except Unusable as error:
        raise Fault(str(error)) from error


def tool(store: str | None, anchor: Path | None, key_file: Path | None) -> Tool:
    """A chain to work on.

    Raises:
        Fault: there is no key, or the store's driver is not installed.
    """
    from features.version import VERSION
    from service.audit.anchor import Anchor
    from service.audit.store import StoreFailed
    from service.audit.store_uri import open_store
    from service.audit.upkeep import Tool

    uri, key = store_uri(store), trail_key(key_file)
    if key is None:
        raise Fault("there is no key to sign with; give --key, or set TREGCAST_AUDIT_KEY")
    file, _ = anchor_file(store, uri, anchor)
    try:
        opened = open_store(uri)
    except StoreFailed as error:
        raise Fault(str(error)) from error
    return Tool(opened, None if file is None else Anchor(file), key, f"tregcast {VERSION}")


def time_of_option(option: str, said: str | None) -> datetime | None:
    """A time that an option gives; UTC where it has no offset.

    Raises:
        Fault: it is none.
    """
    if said is None:
        return None
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        raise Fault(
            f"{option} {said!r} is not a time; give one like 2026-01-31 or 2026-01-31T14:05:00+01:00"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
