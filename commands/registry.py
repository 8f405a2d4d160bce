"""``tregcast pull``: what the registry holds, as verified packs."""

from __future__ import annotations

from pathlib import Path

import click

from commands.following import Watch, address, follow, seconds
from commands.options import DEFAULT_MODEL, FILE, Fault, tell, tracking_uri_option
from model.pack_report import report_path


@click.command()
@click.argument("reference", default=DEFAULT_MODEL)
@click.option("--watch", is_flag=True, help="Go on, and follow the alias until SIGTERM.")
@click.option("--every", callback=seconds, default="30s", show_default=True, help="Between two looks.")
@click.option("--keep", type=click.IntRange(min=3), default=5, show_default=True, help="Packs that stay.")
@click.option("--webhook", metavar="HOST:PORT", callback=address, help="Where MLflow's webhooks arrive.")
@click.option("--webhook-secret", type=FILE, help="The file with the secret that they are signed with.")
@tracking_uri_option
def pull(
    reference: str,
    watch: bool,
    every: float,
    keep: int,
    webhook: tuple[str, int] | None,
    webhook_secret: Path | None,
    tracking_uri: str | None,
) -> None:
    """Fetch and verify the pack of REFERENCE (models:/NAME@ALIAS or /VERSION) into mlruns/packs.

    With --watch the link of an alias is kept in step with the registry: docs/following-the-champion.md.
    """
    if not watch:
        _only_with_watch()
        folder, pack_id = pulled(reference, tracking_uri)
        click.echo(f"{folder}\n{reference} verified, pack {pack_id}")
        if report_path(folder).is_file():
            click.echo(f"{report_path(folder)}\nits report")
        return
    if (webhook is None) != (webhook_secret is None):
        raise Fault("--webhook and --webhook-secret need each other: what is not signed wakes nobody; give both")
    follow(reference, tracking_uri, Watch(every, keep, webhook, webhook_secret))


def _only_with_watch() -> None:
    context = click.get_current_context()
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("every", "keep", "webhook", "webhook_secret")
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise Fault(f"{', '.join(given)} without --watch, which it is for; give --watch too")


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
        folder, pack = fetch(reference, tracking_uri, tell=tell)
    except (StoreError, Refused) as error:
        raise Fault(str(error)) from error
    return folder, pack.id
