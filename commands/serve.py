"""``tregcast serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from commands.options import DEFAULT_MODEL, tracking_uri_option


@click.command()
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@click.option("--pack-id", help="The id that the pack must have.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True)
@tracking_uri_option
def serve(pack: str, pack_id: str | None, host: str, port: int, tracking_uri: str | None) -> None:
    """Answer over HTTP from a verified pack."""
    if pack.startswith("models:/"):  # a fresh process, so that nothing of MLflow stays in the server
        from commands.registry import pulled

        folder, pack_id = pulled(pack, tracking_uri)
        arguments = ["serve", "--pack", str(folder), "--pack-id", pack_id, "--host", host, "--port", str(port)]
        os.execv(sys.executable, [sys.executable, "-m", "cli", *arguments])
    from service.server import serve as run

    run(Path(pack), host, port, pack_id=pack_id)
