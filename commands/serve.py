"""``tregcast serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from commands.options import DEFAULT_MODEL, tracking_uri_option

VARIABLES = ("TREGCAST_ALLOWED_HOSTS", "TREGCAST_TLS_CERTIFICATE", "TREGCAST_TLS_KEY")  # that options stand for
_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@click.option("--pack-id", help="The id that the pack must have.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=_PORT, default=3000, show_default=True, help="0: a free one.")
@click.option("--admin-host", default="127.0.0.1", show_default=True, help="For pages and metrics.")
@click.option(
    "--admin-port",
    type=_PORT,
    default=3001,
    show_default=True,
    help="Of the first worker; the others have those after it. 0: free ones.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer.")
@click.option(
    "--allowed-hosts",
    help=f"Names by which callers may ask, beside this machine's own, with spaces between; else {VARIABLES[0]}.",
)
@click.option("--tls-certificate", type=click.Path(), help="PEM file; else TREGCAST_TLS_CERTIFICATE. With it, TLS.")
@click.option("--tls-key", type=click.Path(), help="PEM file of its private key; else TREGCAST_TLS_KEY.")
@tracking_uri_option
def serve(
    pack: str,
    pack_id: str | None,
    host: str,
    port: int,
    admin_host: str,
    admin_port: int,
    workers: int,
    allowed_hosts: str | None,
    tls_certificate: str | None,
    tls_key: str | None,
    tracking_uri: str | None,
) -> None:
    """Answer over HTTP from a verified pack."""
    from service.early_end import end_at_once_when_told

    end_at_once_when_told()
    for name, said in zip(VARIABLES, (allowed_hosts, tls_certificate, tls_key), strict=True):
        if said is not None:
            os.environ[name] = said  # through the registry's client as well, which starts this command anew
    if pack.startswith("models:/"):  # a fresh process, so that nothing of MLflow stays in the server
        from commands.registry import pulled

        folder, pack_id = pulled(pack, tracking_uri)
        arguments = ["serve", "--pack", str(folder), "--pack-id", pack_id, "--host", host, "--port", str(port)]
        arguments += ["--admin-host", admin_host, "--admin-port", str(admin_port), "--workers", str(workers)]
        os.execv(sys.executable, [sys.executable, "-m", "cli", *arguments])
    from service.server import serve as run

    run(
        Path(pack),
        host,
        port,
        pack_id=pack_id,
        admin_host=admin_host,
        admin_port=admin_port,
        workers=workers,
    )
