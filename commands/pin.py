"""``tregcast pin``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click

from commands.options import DEFAULT_MODEL, FOLDER, Fault, tracking_uri_option
from commands.registry import pack_folder


@click.command()
@click.argument("pack", default=DEFAULT_MODEL)
@click.option("--out", type=FOLDER, default="pinned", show_default=True, help="Replaced if it is there.")
@tracking_uri_option
def pin(pack: str, out: Path, tracking_uri: str | None) -> None:
    """Copy PACK, a folder or models:/NAME@ALIAS, for a Bento or an image that holds it: docs/packaging.md.

    It is verified and its golden answers are replayed before it takes its place.
    """
    from model.pack import Refused, keep_from_others, load_pack

    try:
        source = pack_folder(pack, tracking_uri)
        pack_id = load_pack(source).id
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pin-") as scratch:
            copy, old = Path(scratch, "new"), Path(scratch, "old")
            shutil.copytree(source, copy)
            load_pack(copy, expected_id=pack_id)
            keep_from_others(copy)
            if os.path.lexists(out):
                out.rename(old)
            copy.rename(out)
    except Refused as error:
        raise Fault(f"the pack in {pack} is refused: {error}") from error
    except OSError as error:
        raise Fault(f"{error.filename or out}: {error.strerror or error}") from error
    click.echo(f"{out}\npack {pack_id}")
