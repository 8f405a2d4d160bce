"""``tregcast keys``: who may call the service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from commands.options import Fault

if TYPE_CHECKING:
    from service.access.key import StoredKey

HEADERS = ("ID", "STATE", "SCOPES", "RATE", "CREATED", "EXPIRES", "REVOKED", "NAME")
Found = TypeVar("Found")

store_option = click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TREGCAST_KEYS",
    show_envvar=True,
    help="The file of keys, as the service has it.",
)


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that callers of the service show."""


@keys.command()
@click.option("--name", help="Who will call: a label for people, at most 80 characters.")
@click.option("--scope", "scopes", multiple=True, metavar="predict|batch|admin", help="May be given several times.")
@click.option("--expires", metavar="DAYS", help="Days from now; default: when it is revoked.")
@click.option("--rate", metavar="N/minute", help="How often it may be used, in each worker process; default: any.")
@store_option
def add(
    name: str | None, scopes: tuple[str, ...], expires: str | None, rate: str | None, store: Path | None
) -> None:
    """Make a key and print it, once, on standard output. Only a digest of it is kept."""
    from service.access.grant import BadGrant, read_grant
    from service.access.key_store import add as run

    problems = [] if store is not None else [_no_store()]
    try:
        grant = read_grant(name, scopes, expires, rate)
    except BadGrant as error:
        raise Fault("\n".join([str(error), *problems])) from error
    path = _known(store)
    text, key = _told(path, lambda: run(path, grant, time.time()))
    until = "until it is revoked" if key.expires is None else f"until {_time(key.expires)}"
    click.echo(f"Key {key.id} of {key.name}, {until}. It is shown this once; give it to the caller:", err=True)
    click.echo(text)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@store_option
def list_keys(as_json: bool, store: Path | None) -> None:
    """List every key that was ever made, the oldest first."""
    from service.access.key_store import every

    path = _known(store)
    now = time.time()
    found = _told(path, lambda: every(path))
    if as_json:
        click.echo(json.dumps([_as_json(key, now) for key in found], indent=2, ensure_ascii=False))
        return
    rows = [HEADERS, *(_row(key, now) for key in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@keys.command()
@click.argument("key_id", metavar="ID")
@store_option
def revoke(key_id: str, store: Path | None) -> None:
    """Revoke the key ID, for ever. Services see it within two seconds."""
    from service.access.key_store import revoke as run

    path = _known(store)
    before = _told(path, lambda: run(path, key_id, time.time()))
    if before is None:
        raise Fault(f"there is no key of this id in {path}; give the eight digits that `tregcast keys list` shows")
    if before.revoked is not None:
        click.echo(f"{before.id} of {before.name} was revoked before, at {_time(before.revoked)}")
    else:
        click.echo(f"{before.id} of {before.name} is revoked")


def _known(store: Path | None) -> Path:
    if store is None:
        raise Fault(_no_store())
    return store


def _no_store() -> str:
    return "--store is required; name the file of keys, or set TREGCAST_KEYS"


def _told(path: Path, work: Callable[[], Found]) -> Found:
    from service.access.key_store import StoreError

    try:
        return work()
    except StoreError as error:
        raise Fault(f"the store of keys {path} cannot be used: {error}") from error


def _row(key: StoredKey, now: float) -> tuple[str, ...]:
    rate = "-" if key.per_minute is None else f"{key.per_minute}/minute"
    times = ("-" if at is None else _time(at) for at in (key.created, key.expires, key.revoked))
    return (key.id, key.state(now), ",".join(_scopes(key)), rate, *times, key.name)


def _as_json(key: StoredKey, now: float) -> dict[str, object]:
    times = {"created": key.created, "expires": key.expires, "revoked": key.revoked}
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "scopes": _scopes(key),
        "per_minute": key.per_minute,
        **{name: None if at is None else _time(at) for name, at in times.items()},
    }


def _scopes(key: StoredKey) -> list[str]:
    from service.access.scope import IN_ORDER

    return [scope for scope in IN_ORDER if scope in key.scopes]


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
