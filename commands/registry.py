"""``tregcast pull``: what the registry holds, as verified packs."""

from __future__ import annotations

from pathlib import Path

import click

from commands.options import DEFAULT_MODEL, Fault, tracking_uri_option


@click.command()
@click.argument("reference", default=DEFAULT_MODEL)
@tracking_uri_option
def pull(reference: str, tracking_uri: str | None) -> None:
    """Fetch and verify the pack of REFERENCE (models:/NAME@ALIAS or /VERSION) into mlruns/packs."""
    folder, pack_id = pulled(reference, tracking_uri)
    click.echo(f"{folder}\n{reference} verified, pack {pack_id}")


def pack_folder(pack: str, tracking_uri: str | None) -> Path:
    """A folder as it is; a registered model is pulled."""
    if pack.startswith("models:/"):
        return pulled(pack, tracking_uri)[0]
    return Path(pack)


def pulled(reference: str, tracking_uri: str | None) -> tuple[Path, str]:
    """The folder and id of the verified pack of a registered model.

    Raises:
        Fault: it cannot be had.
    """
    from training.registry import Refused, StoreError
    from training.registry import pull as fetch

    try:
        folder, pack = fetch(reference, tracking_uri)
    except (StoreError, Refused) as error:
        raise Fault(str(error)) from error
    return folder, pack.id
